/* A token shard: whatever is accepted has sentences and documents that rise, and no token outside its vocabulary. */
#include "data/shard.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  heed_shard shard;
  if (!fuzz_went_well(heed_shard_open(&shard, fuzz_path(fuzz_file(data, bytes)))))
    return 0;
  for (int64_t i = 0; i < shard.document_count; i++)
    FUZZ_MUST(shard.documents[i] < shard.documents[i + 1]);
  for (int64_t i = 0; i < shard.sentence_count; i++)
    FUZZ_MUST(shard.sentences[i] < shard.sentences[i + 1]);
  for (int64_t i = 0; i < shard.token_count; i++)
    FUZZ_MUST(heed_shard_token(&shard, i) >= 0 && heed_shard_token(&shard, i) < shard.vocabulary_size);
  FUZZ_MUST(shard.documents[shard.document_count] == shard.sentence_count);
  FUZZ_MUST(shard.sentences[shard.sentence_count] == shard.token_count);
  FUZZ_MUST(strlen(shard.tokenizer) < sizeof shard.tokenizer);
  heed_shard_close(&shard);
  return 0;
}
