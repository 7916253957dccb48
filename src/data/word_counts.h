/** How often each word (words.h), or for BPE each pre-token (pretokens.h), stands in a text: what a vocabulary is trained on. */
#ifndef HEED_DATA_WORD_COUNTS_H
#define HEED_DATA_WORD_COUNTS_H

#include <stdbool.h>

#include "data/string_map.h"
#include "heed/tokenizer.h"

/** Bytes.  Nobody writes longer words, and joining in one takes time by its square. */
enum { HEED_LONGEST_PRETOKEN = 1 << 16 };

typedef struct heed_word_counts {
  heed_string_map words; /**< value = count; in no order */
  int64_t *order;        /**< [words.count] items sorted by their bytes: the same for any number of threads */
  int64_t bytes;         /**< of text read */
} heed_word_counts;

/** Counts with all threads.  WordPiece words too long to encode, pre-tokens above HEED_LONGEST_PRETOKEN and special tokens do not count.
 *  Errors: as heed_text_open and heed_text_next; HEED_FAILED when memory is short. */
heed_status heed_word_counts_read(heed_word_counts *counts, const char *const *inputs, int input_count, heed_vocabulary_kind kind,
                                  bool cased);

void heed_word_counts_free(heed_word_counts *counts);

#endif
