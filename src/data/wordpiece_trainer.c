#include "data/wordpiece_trainer.h"

#include <stdlib.h>
#include <string.h>

#include "data/pair_counts.h"
#include "data/string_map.h"
#include "data/text.h"
#include "data/utf8.h"
#include "data/word_counts.h"
#include "data/words.h"

enum { ALPHABET = 1000, LEAST_COUNT = 2, CODE_POINTS = 0x110000, PIECE_BYTES = 4 * HEED_WORD_CHARACTERS + 2 };

/* A word as pieces: pieces[first … first + length) of the trainer. */
typedef struct word {
  int64_t first, count;
  int32_t length;
} word;

typedef struct trainer {
  heed_string_map tokens; /* item = id */
  heed_pair_counts pairs;
  int32_t *pieces;
  word *words;
  int64_t word_count;
} trainer;

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

/* Adds `sign` · count of all neighbours in a word; `note` its place in the lists of pairs with this piece (−1: of all). */
static bool count_pairs(trainer *t, int32_t index, int sign, int32_t note) {
  const word *w = &t->words[index];
  const int32_t *piece = t->pieces + w->first;
  for (int32_t i = 0; i + 1 < w->length; i++) {
    bool noted = sign > 0 && (note < 0 || piece[i] == note || piece[i + 1] == note);
    if (!heed_pair_counts_add(&t->pairs, piece[i], piece[i + 1], sign * w->count, noted ? index : -1))
      return false;
  }
  return true;
}

static heed_status cut_words(trainer *t, const heed_word_counts *counts) {
  int64_t used = 0;
  if (counts->words.count > INT32_MAX)
    return heed_error(HEED_INVALID, "more than %d different words: train on a part of the text", INT32_MAX);
  t->words = malloc((size_t)counts->words.count * sizeof *t->words);
  t->pieces = malloc((size_t)counts->words.byte_count * sizeof *t->pieces);
  if (!t->words || !t->pieces)
    return short_of_memory();
  for (int64_t i = 0; i < counts->words.count; i++) {
    int64_t item = counts->order[i];
    word *w = &t->words[t->word_count];
    *w = (word){.first = used, .count = counts->words.items[item].value};
    if (!cut_word(&t->tokens, heed_string_map_text(&counts->words, item), counts->words.items[item].length, t->pieces + used, &w->length))
      continue;
    used += w->length;
    if (!count_pairs(t, (int32_t)t->word_count++, 1, -1))
      return short_of_memory();
  }
  return heed_pair_counts_enter(&t->pairs) ? HEED_OK : short_of_memory();
}

/* Joins the pair wherever it stands in the word. */
static bool join_in_word(trainer *t, int32_t index, int32_t left, int32_t right, int32_t joined) {
  word *w = &t->words[index];
  int32_t *piece = t->pieces + w->first, kept = 0, found = 0;
  for (int32_t i = 0; i + 1 < w->length && !found; i++)
    found = piece[i] == left && piece[i + 1] == right;
  if (!found)
    return true;
  if (!count_pairs(t, index, -1, -1))
    return false;
  for (int32_t i = 0; i < w->length; i++) {
    bool here = i + 1 < w->length && piece[i] == left && piece[i + 1] == right;
    piece[kept++] = here ? joined : piece[i];
    i += here;
  }
  w->length = kept;
  return count_pairs(t, index, 1, joined);
}

/* The token of left and right together, which may be there already (from another way of cutting it). */
static int64_t add_joined(heed_string_map *tokens, int32_t left, int32_t right) {
  char text[PIECE_BYTES];
  const heed_string *one = &tokens->items[left], *other = &tokens->items[right];
  memcpy(text, tokens->bytes + one->offset, (size_t)one->length);
  memcpy(text + one->length, tokens->bytes + other->offset + 2, (size_t)other->length - 2); /* right is a continuation: without ## */
  return heed_string_map_add(tokens, text, one->length + other->length - 2);
}

static heed_status join_pairs(trainer *t, int64_t size) {
  while (t->tokens.count < size) {
    int64_t index = heed_pair_counts_take(&t->pairs);
    if (index < 0 || t->pairs.pairs[index].count < LEAST_COUNT)
      break;
    int32_t left = t->pairs.pairs[index].left, right = t->pairs.pairs[index].right;
    int64_t joined = add_joined(&t->tokens, left, right), place = t->pairs.pairs[index].where;
    t->pairs.pairs[index].where = -1;
    bool have = joined >= 0;
    for (; have && place >= 0; place = t->pairs.places[place].next)
      have = join_in_word(t, t->pairs.places[place].word, left, right, (int32_t)joined);
    if (!have || !heed_pair_counts_enter(&t->pairs))
      return short_of_memory();
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
  trainer t = {0};
  *vocabulary = (heed_trained_vocabulary){0};
  HEED_TRY(heed_word_counts_read(&counts, inputs, input_count, cased));
  vocabulary->words = counts.words.count;
  vocabulary->text_bytes = counts.bytes;
  heed_status status = counts.words.count > 0 ? add_alphabet(&t.tokens, &counts, size)
                                              : heed_error(HEED_INVALID, "%s%s: no words in it to make a vocabulary of",
                                                           heed_text_shown(inputs[0]), input_count > 1 ? " and the others" : "");
  if (status == HEED_OK)
    status = cut_words(&t, &counts);
  heed_word_counts_free(&counts);
  if (status == HEED_OK)
    status = join_pairs(&t, size);
  if (status == HEED_OK)
    status = print_tokens(vocabulary, &t.tokens);
  heed_string_map_free(&t.tokens);
  heed_pair_counts_free(&t.pairs);
  free(t.pieces);
  free(t.words);
  return status;
}

void heed_trained_vocabulary_free(heed_trained_vocabulary *vocabulary) {
  free(vocabulary->text);
  *vocabulary = (heed_trained_vocabulary){0};
}
