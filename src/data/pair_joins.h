/** Words as rows of pieces in which the most frequent pair of neighbours is joined, again and again: what training a vocabulary is, of
 *  either kind.  Of pairs that stand equally often the one with the smallest left, then right piece wins, so the result depends on the
 *  words alone.
 *  Source: Sennrich et al. 2016, alg. 1; tokenizers, BpeTrainer. */
#ifndef HEED_DATA_PAIR_JOINS_H
#define HEED_DATA_PAIR_JOINS_H

#include "data/pair_counts.h"
#include "data/word_counts.h"

/** A word: pieces[first … first + length). */
typedef struct heed_joined_word {
  int64_t first, count;
  int32_t length;
} heed_joined_word;

typedef struct heed_pair_joins {
  heed_pair_counts pairs;
  int32_t *pieces;
  heed_joined_word *words;
  int64_t word_count;
} heed_pair_joins;

/** Cuts a word into its first pieces, at most one a byte.  False when it is to be left out. */
typedef bool heed_first_pieces(const heed_string_map *tokens, const char *text, int32_t bytes, int32_t *pieces, int32_t *length);

/** Cuts all words and counts their pairs.  To be freed with heed_pair_joins_free, also after an error.
 *  Errors: HEED_INVALID for more than 2³¹ words, HEED_FAILED when memory is short. */
heed_status heed_pair_joins_begin(heed_pair_joins *joins, const heed_word_counts *counts, heed_first_pieces *cut,
                                  const heed_string_map *tokens);

/** The most frequent pair, NULL when none stands twice.  Its pieces are to be read before they are joined. */
const heed_pair *heed_pair_joins_next(heed_pair_joins *joins);

/** Joins that pair wherever it stands into the piece `joined`.  Errors: HEED_FAILED when memory is short. */
heed_status heed_pair_joins_join(heed_pair_joins *joins, const heed_pair *pair, int32_t joined);

void heed_pair_joins_free(heed_pair_joins *joins);

#endif
