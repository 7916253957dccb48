#include "data/wordpiece_trainer.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/pair_joins.h"
#include "data/string_map.h"
#include "data/text.h"
#include "data/word_counts.h"
#include "data/words.h"

enum { ALPHABET = 1000, CODE_POINTS = 0x110000, PIECE_BYTES = 4 * HEED_WORD_CHARACTERS + 2 };

static heed_status short_of_memory(void) {
  return heed_error(HEED_FAILED, "out of memory for training a vocabulary");
}

typedef struct character {
  int32_t code;
  int64_t count;
  bool within; /* stands behind another one in some word */
} character;

static int by_count(const void *a, const void *b) {
  const character *one = a, *other = b;
  if (one->count != other->count)
    return one->count > other->count ? -1 : 1;
  return one->code - other->code;
}

static int by_code(const void *a, const void *b) {
  return ((const character *)a)->code - ((const character *)b)->code;
}

static void count_characters(character *characters, const heed_word_counts *counts) {
  for (int64_t i = 0; i < counts->words.count; i++) {
    const heed_string *item = &counts->words.items[i];
    const unsigned char *begin = (const unsigned char *)heed_string_map_text(&counts->words, i), *end = begin + item->length;
    for (const unsigned char *at = begin; at < end;) {
      int32_t code;
      bool within = at > begin;
      at += heed_utf8_read(at, end, &code); /* words are well-formed */
      characters[code].count += item->value;
      characters[code].within = characters[code].within || within;
    }
  }
}

static bool add_character(heed_string_map *tokens, int32_t code, bool within) {
  char text[8] = "##";
  int length = within ? 2 : 0;
  length += heed_utf8_write(text + length, code);
  return heed_string_map_add(tokens, text, length) >= 0;
}

/* Special tokens, then the alphabet, then its continuations. */
static heed_status add_alphabet(heed_string_map *tokens, const heed_word_counts *counts, int64_t size) {
  character *characters = calloc(CODE_POINTS, sizeof *characters);
  if (!characters)
    return short_of_memory();
  for (int32_t code = 0; code < CODE_POINTS; code++)
    characters[code].code = code;
  count_characters(characters, counts);
  int seen = 0, kept;
  for (int32_t code = 0; code < CODE_POINTS; code++)
    if (characters[code].count > 0)
      characters[seen++] = characters[code];
  qsort(characters, (size_t)seen, sizeof *characters, by_count);
  kept = seen < ALPHABET ? seen : ALPHABET;
  qsort(characters, (size_t)kept, sizeof *characters, by_code);
  bool have = true;
  for (int i = 0; i < HEED_SPECIALS; i++)
    have = have && heed_string_map_add(tokens, heed_special_names[i], (int32_t)strlen(heed_special_names[i])) >= 0;
  for (int i = 0; i < kept; i++)
    have = have && add_character(tokens, characters[i].code, false);
  for (int i = 0; i < kept; i++)
    have = have && (!characters[i].within || add_character(tokens, characters[i].code, true));
  free(characters);
  if (!have)
    return short_of_memory();
  if (tokens->count > size)
    return heed_error(HEED_INVALID,
                      "--vocab-size %lld is too small: special tokens and the alphabet of this text are %lld; give at least "
                      "as many",
                      (long long)size, (long long)tokens->count);
  return HEED_OK;
}

/* Cuts a word into characters.  False when one is outside the alphabet. */
static bool cut_word(const heed_string_map *tokens, const char *text, int32_t bytes, int32_t *pieces, int32_t *length) {
  *length = 0;
  for (int32_t at = 0; at < bytes;) {
    char piece[8] = "##";
    int32_t code;
    int taken = heed_utf8_read((const unsigned char *)text + at, (const unsigned char *)text + bytes, &code), skip = at == 0 ? 2 : 0;
    memcpy(piece + 2, text + at, (size_t)taken);
    int64_t id = heed_string_map_find(tokens, piece + skip, taken + 2 - skip);
    if (id < 0)
      return false;
    pieces[(*length)++] = (int32_t)id;
    at += taken;
  }
  return true;
}

/* The token of left and right together, which may be there already (from another way of cutting it). */
static int64_t add_joined(heed_string_map *tokens, int32_t left, int32_t right) {
  char text[PIECE_BYTES];
  const heed_string *one = &tokens->items[left], *other = &tokens->items[right];
  memcpy(text, tokens->bytes + one->offset, (size_t)one->length);
  memcpy(text + one->length, tokens->bytes + other->offset + 2, (size_t)other->length - 2); /* right is a continuation: without ## */
  return heed_string_map_add(tokens, text, one->length + other->length - 2);
}

static heed_status join_pairs(heed_pair_joins *joins, heed_string_map *tokens, int64_t size) {
  const heed_pair *pair;
  while (tokens->count < size && (pair = heed_pair_joins_next(joins))) {
    int64_t joined = add_joined(tokens, pair->left, pair->right);
    if (joined < 0)
      return short_of_memory();
    HEED_TRY(heed_pair_joins_join(joins, pair, (int32_t)joined));
  }
  return HEED_OK;
}

static heed_status print_tokens(heed_trained_vocabulary *vocabulary, const heed_string_map *tokens) {
  vocabulary->text = malloc((size_t)(tokens->byte_count + tokens->count + 1));
  if (!vocabulary->text)
    return short_of_memory();
  char *at = vocabulary->text;
  for (int64_t i = 0; i < tokens->count; i++) {
    memcpy(at, heed_string_map_text(tokens, i), (size_t)tokens->items[i].length);
    at += tokens->items[i].length;
    *at++ = '\n';
  }
  vocabulary->bytes = (size_t)(at - vocabulary->text);
  vocabulary->size = tokens->count;
  return HEED_OK;
}

heed_status heed_wordpiece_train(heed_trained_vocabulary *vocabulary, const char *const *inputs, int input_count, bool cased,
                                 int64_t size) {
  heed_word_counts counts;
  heed_string_map tokens = {0}; /* item = id */
  heed_pair_joins joins = {0};
  *vocabulary = (heed_trained_vocabulary){0};
  HEED_TRY(heed_word_counts_read(&counts, inputs, input_count, HEED_WORDPIECE, cased));
  vocabulary->words = counts.words.count;
  vocabulary->text_bytes = counts.bytes;
  heed_status status = counts.words.count > 0 ? add_alphabet(&tokens, &counts, size)
                                              : heed_error(HEED_INVALID, "%s%s: no words in it to make a vocabulary of",
                                                           heed_text_shown(inputs[0]), input_count > 1 ? " and the others" : "");
  if (status == HEED_OK)
    status = heed_pair_joins_begin(&joins, &counts, cut_word, &tokens);
  heed_word_counts_free(&counts);
  if (status == HEED_OK)
    status = join_pairs(&joins, &tokens, size);
  if (status == HEED_OK)
    status = print_tokens(vocabulary, &tokens);
  heed_string_map_free(&tokens);
  heed_pair_joins_free(&joins);
  return status;
}
