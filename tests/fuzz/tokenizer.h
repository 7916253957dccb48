/** What must hold of any vocabulary that is accepted. */
#ifndef HEED_TESTS_FUZZ_TOKENIZER_H
#define HEED_TESTS_FUZZ_TOKENIZER_H

#include "fuzz/target.h"
#include "heed/tokenizer.h"

/** Texts are encoded into tokens of the vocabulary, and these decoded. */
static inline void fuzz_encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes) {
  int32_t *ids = NULL;
  int64_t capacity = 0, count;
  char *decoded;
  FUZZ_MUST(heed_tokenizer_encode(tokenizer, text, bytes, &ids, &capacity, &count) == HEED_OK);
  for (int64_t i = 0; i < count; i++)
    FUZZ_MUST(ids[i] >= 0 && ids[i] < heed_tokenizer_size(tokenizer));
  FUZZ_MUST(heed_tokenizer_decode(tokenizer, ids, count, &decoded) == HEED_OK);
  free(decoded);
  free(ids);
}

/** Takes a vocabulary's text, encodes with it, and takes its own text again: a checkpoint keeps that. */
static inline void fuzz_vocabulary(const uint8_t *data, size_t bytes, bool cased) {
  static const char text[] = "The quick, brown f\303\266x jumped [MASK] <|endoftext|> over 13 \344\270\255 dogs\377.\n";
  heed_tokenizer *tokenizer, *again;
  if (!fuzz_went_well(heed_tokenizer_from_text(&tokenizer, (const char *)data, bytes, "fuzz", cased)))
    return;
  fuzz_encode(tokenizer, text, sizeof text - 1);
  fuzz_encode(tokenizer, (const char *)data, bytes < 4096 ? bytes : 4096);
  size_t own_bytes;
  const char *own = heed_tokenizer_text(tokenizer, &own_bytes);
  FUZZ_MUST(heed_tokenizer_from_text(&again, own, own_bytes, "again", cased) == HEED_OK);
  FUZZ_MUST(heed_tokenizer_hash(again) == heed_tokenizer_hash(tokenizer));
  heed_tokenizer_free(again);
  heed_tokenizer_free(tokenizer);
}

#endif
