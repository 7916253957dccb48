/* Somebody else's program: install_test.c compiles it against an installed Heed.  Reads a configuration, tokenizes a sentence. */
#include <heed/communication.h>
#include <heed/config.h>
#include <heed/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char configuration[] = "run: {name: small, output: runs/small}\n"
                                    "model: {family: bert, vocabulary_size: 8, layers: 2, hidden: 64, heads: 4}\n"
                                    "train: {steps: 10, sequence_length: 16, batch_sequences: 8}\n"
                                    "optimizer: {learning_rate: 1.0e-3}\n"
                                    "data: {train: a.h5, validation: b.h5, vocabulary: v.txt}\n";
static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nwor\n##ld\n";

int main(void) {
  heed_config config;
  heed_tokenizer *tokenizer;
  int32_t *ids = NULL;
  int64_t capacity = 0, count = 0;
  if (heed_config_parse(&config, configuration, "configuration", NULL, 0) != HEED_OK ||
      heed_tokenizer_from_text(&tokenizer, vocabulary, strlen(vocabulary), "vocabulary", false) != HEED_OK ||
      heed_tokenizer_encode(tokenizer, "Hello world", 11, &ids, &capacity, &count) != HEED_OK) {
    puts(heed_error_text());
    return 1;
  }
  printf("hidden %lld, %d rank, tokens", (long long)config.model.hidden, heed_alone()->size);
  for (int64_t i = 0; i < count; i++)
    printf(" %s", heed_tokenizer_token(tokenizer, ids[i]));
  puts("");
  free(ids);
  heed_tokenizer_free(tokenizer);
  heed_config_free(&config);
  return 0;
}
