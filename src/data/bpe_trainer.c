#include "data/bpe_trainer.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"
#include "data/bpe_text.h"
#include "data/byte_alphabet.h"
#include "data/pair_joins.h"
#include "data/pretokens.h"
#include "data/text.h"

enum { ALPHABET_END = 0x144, FIRST_IDS = 257 }; /* the character behind the alphabet's last; <|endoftext|> and the bytes */

typedef struct merge_list {
  heed_bpe_pair *items;
  int64_t count, capacity;
} merge_list;

static heed_status short_of_memory(void) {
  return heed_error(HEED_FAILED, "out of memory for training a vocabulary");
}

/* <|endoftext|>, then the bytes, as characters. */
static heed_status add_alphabet(heed_string_map *tokens, int64_t size) {
  if (size < FIRST_IDS)
    return heed_error(HEED_INVALID, "--vocab-size %lld is too small: %s and the 256 bytes are %d; give at least as many", (long long)size,
                      HEED_END_OF_TEXT, FIRST_IDS);
  bool have = heed_string_map_add(tokens, HEED_END_OF_TEXT, sizeof HEED_END_OF_TEXT - 1) >= 0;
  for (int32_t code = 0; code < ALPHABET_END && have; code++) {
    char text[4];
    if (heed_byte_of_character(code) >= 0)
      have = heed_string_map_add(tokens, text, heed_utf8_write(text, code)) >= 0;
  }
  return have ? HEED_OK : short_of_memory();
}

static bool cut_word(const heed_string_map *tokens, const char *text, int32_t bytes, int32_t *pieces, int32_t *length) {
  *length = bytes;
  for (int32_t i = 0; i < bytes; i++) {
    char character[4];
    int taken = heed_utf8_write(character, heed_byte_character((unsigned char)text[i]));
    pieces[i] = (int32_t)heed_string_map_find(tokens, character, taken); /* the whole alphabet is there */
  }
  return true;
}

/* The token of left and right together, which may be there already (from another way of cutting it); −1 when memory is short. */
static int64_t add_joined(heed_string_map *tokens, int32_t left, int32_t right) {
  int32_t one = tokens->items[left].length, other = tokens->items[right].length;
  char *text = malloc((size_t)one + (size_t)other);
  if (!text)
    return -1;
  memcpy(text, heed_string_map_text(tokens, left), (size_t)one);
  memcpy(text + one, heed_string_map_text(tokens, right), (size_t)other);
  int64_t joined = heed_string_map_add(tokens, text, one + other);
  free(text);
  return joined;
}

static bool note_merge(merge_list *merges, const heed_pair *pair) {
  if (merges->count == merges->capacity) {
    int64_t larger = 2 * merges->capacity + 1024;
    heed_bpe_pair *items = realloc(merges->items, (size_t)larger * sizeof *items);
    if (!items)
      return false;
    merges->items = items;
    merges->capacity = larger;
  }
  merges->items[merges->count++] = (heed_bpe_pair){pair->left, pair->right};
  return true;
}

static heed_status join_pairs(heed_pair_joins *joins, heed_string_map *tokens, merge_list *merges, int64_t size) {
  const heed_pair *pair;
  while (tokens->count < size && (pair = heed_pair_joins_next(joins))) {
    int64_t joined = add_joined(tokens, pair->left, pair->right);
    if (joined < 0 || !note_merge(merges, pair))
      return short_of_memory();
    HEED_TRY(heed_pair_joins_join(joins, pair, (int32_t)joined));
  }
  return HEED_OK;
}

heed_status heed_bpe_train(heed_trained_vocabulary *vocabulary, const char *const *inputs, int input_count, int64_t size) {
  heed_word_counts counts;
  heed_string_map tokens = {0}; /* item = id; in the byte alphabet */
  heed_pair_joins joins = {0};
  merge_list merges = {0};
  *vocabulary = (heed_trained_vocabulary){0};
  HEED_TRY(heed_word_counts_read(&counts, inputs, input_count, HEED_BPE, true));
  vocabulary->words = counts.words.count;
  vocabulary->text_bytes = counts.bytes;
  heed_status status = counts.words.count > 0 ? add_alphabet(&tokens, size)
                                              : heed_error(HEED_INVALID, "%s%s: no words in it to make a vocabulary of",
                                                           heed_text_shown(inputs[0]), input_count > 1 ? " and the others" : "");
  if (status == HEED_OK)
    status = heed_pair_joins_begin(&joins, &counts, cut_word, &tokens);
  heed_word_counts_free(&counts);
  if (status == HEED_OK)
    status = join_pairs(&joins, &tokens, &merges, size);
  if (status == HEED_OK)
    status = heed_bpe_print(&tokens, merges.items, merges.count, &vocabulary->text, &vocabulary->bytes);
  vocabulary->size = tokens.count;
  heed_string_map_free(&tokens);
  heed_pair_joins_free(&joins);
  free(merges.items);
  return status;
}
