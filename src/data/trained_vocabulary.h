/** What training gives, of either kind. */
#ifndef HEED_DATA_TRAINED_VOCABULARY_H
#define HEED_DATA_TRAINED_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "heed/status.h"

typedef struct heed_trained_vocabulary {
  char *text; /**< what heed_tokenizer_from_text takes */
  size_t bytes;
  int64_t size;       /**< tokens; below what was asked for when the text is small */
  int64_t words;      /**< different words in the text */
  int64_t text_bytes; /**< of text read */
} heed_trained_vocabulary;

static inline void heed_trained_vocabulary_free(heed_trained_vocabulary *vocabulary) {
  free(vocabulary->text);
  *vocabulary = (heed_trained_vocabulary){0};
}

#endif
