#include "data/pair_joins.h"

#include <stdlib.h>

enum { LEAST_COUNT = 2 };

static heed_status short_of_memory(void) {
  return heed_error(HEED_FAILED, "out of memory for training a vocabulary");
}

/* Adds `sign` · count of all neighbours in a word; `note` its place in the lists of pairs with this piece (−1: of all). */
static bool count_pairs(heed_pair_joins *joins, int32_t index, int sign, int32_t note) {
  const heed_joined_word *w = &joins->words[index];
  const int32_t *piece = joins->pieces + w->first;
  for (int32_t i = 0; i + 1 < w->length; i++) {
    bool noted = sign > 0 && (note < 0 || piece[i] == note || piece[i + 1] == note);
    if (!heed_pair_counts_add(&joins->pairs, piece[i], piece[i + 1], sign * w->count, noted ? index : -1))
      return false;
  }
  return true;
}

heed_status heed_pair_joins_begin(heed_pair_joins *joins, const heed_word_counts *counts, heed_first_pieces *cut,
                                  const heed_string_map *tokens) {
  int64_t used = 0;
  *joins = (heed_pair_joins){0};
  if (counts->words.count > INT32_MAX)
    return heed_error(HEED_INVALID, "more than %d different words: train on a part of the text", INT32_MAX);
  joins->words = malloc((size_t)counts->words.count * sizeof *joins->words);
  joins->pieces = malloc((size_t)counts->words.byte_count * sizeof *joins->pieces);
  if (!joins->words || !joins->pieces)
    return short_of_memory();
  for (int64_t i = 0; i < counts->words.count; i++) {
    int64_t item = counts->order[i];
    heed_joined_word *w = &joins->words[joins->word_count];
    *w = (heed_joined_word){.first = used, .count = counts->words.items[item].value};
    if (!cut(tokens, heed_string_map_text(&counts->words, item), counts->words.items[item].length, joins->pieces + used, &w->length))
      continue;
    used += w->length;
    if (!count_pairs(joins, (int32_t)joins->word_count++, 1, -1))
      return short_of_memory();
  }
  return heed_pair_counts_enter(&joins->pairs) ? HEED_OK : short_of_memory();
}

const heed_pair *heed_pair_joins_next(heed_pair_joins *joins) {
  int64_t index = heed_pair_counts_take(&joins->pairs);
  return index < 0 || joins->pairs.pairs[index].count < LEAST_COUNT ? NULL : &joins->pairs.pairs[index];
}

/* Joins the pair wherever it stands in the word. */
static bool join_in_word(heed_pair_joins *joins, int32_t index, int32_t left, int32_t right, int32_t joined) {
  heed_joined_word *w = &joins->words[index];
  int32_t *piece = joins->pieces + w->first, kept = 0, found = 0;
  for (int32_t i = 0; i + 1 < w->length && !found; i++)
    found = piece[i] == left && piece[i + 1] == right;
  if (!found)
    return true;
  if (!count_pairs(joins, index, -1, -1))
    return false;
  for (int32_t i = 0; i < w->length; i++) {
    bool here = i + 1 < w->length && piece[i] == left && piece[i + 1] == right;
    piece[kept++] = here ? joined : piece[i];
    i += here;
  }
  w->length = kept;
  return count_pairs(joins, index, 1, joined);
}

heed_status heed_pair_joins_join(heed_pair_joins *joins, const heed_pair *pair, int32_t joined) {
  int32_t left = pair->left, right = pair->right; /* the table moves as it grows */
  int64_t place = pair->where;
  joins->pairs.pairs[pair - joins->pairs.pairs].where = -1;
  for (; place >= 0; place = joins->pairs.places[place].next)
    if (!join_in_word(joins, joins->pairs.places[place].word, left, right, joined))
      return short_of_memory();
  return heed_pair_counts_enter(&joins->pairs) ? HEED_OK : short_of_memory();
}

void heed_pair_joins_free(heed_pair_joins *joins) {
  heed_pair_counts_free(&joins->pairs);
  free(joins->pieces);
  free(joins->words);
  *joins = (heed_pair_joins){0};
}
