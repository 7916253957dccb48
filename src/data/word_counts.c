#include "data/word_counts.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/ill_formed.h"
#include "data/pretokens.h"
#include "data/words.h"

static bool count_words(heed_string_map *map, const heed_line *line, bool cased) {
  heed_words words = heed_words_of(line->text, line->bytes, cased);
  heed_word word;
  while (heed_words_next(&words, &word)) {
    if (word.special >= 0 || word.characters > HEED_WORD_CHARACTERS)
      continue;
    int64_t item = heed_string_map_add(map, word.text, word.bytes);
    if (item < 0)
      return false;
    map->items[item].value++;
  }
  return true;
}

static bool count_well_formed(heed_string_map *map, const char *text, size_t bytes) {
  heed_pretokens pretokens = heed_pretokens_of(text, bytes);
  heed_pretoken pretoken;
  while (heed_pretokens_next(&pretokens, &pretoken)) {
    if (pretoken.special || pretoken.bytes > HEED_LONGEST_PRETOKEN)
      continue;
    int64_t item = heed_string_map_add(map, pretoken.text, (int32_t)pretoken.bytes);
    if (item < 0)
      return false;
    map->items[item].value++;
  }
  return true;
}

/* As encoding sees a line: with its newline, and with U+FFFD for what is ill-formed. */
static bool count_pretokens(heed_string_map *map, const heed_line *line) {
  size_t bytes = line->bytes + line->ends;
  if (heed_utf8_is_valid(line->text, bytes))
    return count_well_formed(map, line->text, bytes);
  char *repaired = heed_utf8_repair(line->text, &bytes);
  bool counted = repaired && count_well_formed(map, repaired, bytes);
  free(repaired);
  return counted;
}

static bool count_line(heed_string_map *map, const heed_line *line, heed_vocabulary_kind kind, bool cased) {
  return kind == HEED_BPE ? count_pretokens(map, line) : count_words(map, line, cased);
}

/* Each thread counts the pieces it takes in a map of its own. */
static bool count_batch(heed_string_map *maps, const heed_line *lines, int64_t count, heed_vocabulary_kind kind, bool cased,
                        heed_ill_formed *ill_formed) {
  int64_t starts[HEED_TEXT_PIECES + 1];
  heed_ill_formed found[HEED_TEXT_PIECES] = {0};
  bool counted = true;
  heed_text_pieces(lines, count, starts);
#pragma omp parallel for schedule(dynamic, 1) reduction(&& : counted)
  for (int i = 0; i < HEED_TEXT_PIECES; i++)
    for (int64_t line = starts[i]; line < starts[i + 1] && counted; line++) {
      heed_ill_formed_look(&found[i], &lines[line]);
      counted = count_line(&maps[omp_get_thread_num()], &lines[line], kind, cased);
    }
  for (int i = 0; i < HEED_TEXT_PIECES; i++)
    heed_ill_formed_add(ill_formed, &found[i]);
  return counted;
}

static bool add_map(heed_string_map *all, const heed_string_map *map) {
  for (int64_t i = 0; i < map->count; i++) {
    int64_t item = heed_string_map_add(all, heed_string_map_text(map, i), map->items[i].length);
    if (item < 0)
      return false;
    all->items[item].value += map->items[i].value;
  }
  return true;
}

static int by_bytes(const void *a, const void *b, void *context) {
  const heed_string_map *map = context;
  const heed_string *one = &map->items[*(const int64_t *)a], *other = &map->items[*(const int64_t *)b];
  int shorter = one->length < other->length ? one->length : other->length;
  int difference = memcmp(map->bytes + one->offset, map->bytes + other->offset, (size_t)shorter);
  return difference ? difference : one->length - other->length;
}

static bool sort_words(heed_word_counts *counts) {
  counts->order = malloc((size_t)(counts->words.count + 1) * sizeof *counts->order);
  if (!counts->order)
    return false;
  for (int64_t i = 0; i < counts->words.count; i++)
    counts->order[i] = i;
  qsort_r(counts->order, (size_t)counts->words.count, sizeof *counts->order, by_bytes, &counts->words);
  return true;
}

heed_status heed_word_counts_read(heed_word_counts *counts, const char *const *inputs, int input_count, heed_vocabulary_kind kind,
                                  bool cased) {
  heed_text *text;
  const heed_line *lines;
  int64_t count;
  int threads = omp_get_max_threads();
  heed_ill_formed ill_formed = {.kept = kind == HEED_BPE};
  *counts = (heed_word_counts){0};
  HEED_TRY(heed_text_open(&text, inputs, input_count, kind == HEED_BPE ? heed_pretokens_cut : heed_words_cut));
  heed_string_map *maps = calloc((size_t)threads, sizeof *maps);
  bool have = maps != NULL;
  heed_status status = HEED_OK;
  while (have && (status = heed_text_next(text, &lines, &count)) == HEED_OK && count > 0)
    have = count_batch(maps, lines, count, kind, cased, &ill_formed);
  for (int i = 0; maps && i < threads; i++) {
    have = have && status == HEED_OK && add_map(&counts->words, &maps[i]);
    heed_string_map_free(&maps[i]);
  }
  free(maps);
  if (status == HEED_OK && !(have && sort_words(counts)))
    status = heed_error(HEED_FAILED, "out of memory for the words of the text");
  counts->bytes = heed_text_read_bytes(text);
  if (status == HEED_OK)
    heed_ill_formed_warn(&ill_formed);
  heed_text_close(text);
  if (status != HEED_OK)
    heed_word_counts_free(counts);
  return status;
}

void heed_word_counts_free(heed_word_counts *counts) {
  heed_string_map_free(&counts->words);
  free(counts->order);
  *counts = (heed_word_counts){0};
}
