#include "base/spelling.h"

#include <string.h>

#include "test.h"

static void counts_changes(void) {
  static const struct {
    const char *a, *b;
    int apart;
  } pairs[] = {{"", "", 0},           {"train", "train", 0},      {"", "abc", 3},
               {"trian", "train", 1}, {"evalute", "evaluate", 1}, {"layers", "layer", 1},
               {"heed", "seed", 1},   {"kitten", "sitting", 3},   {"ab", "ba", 1}};
  char longer[66];
  memset(longer, 'x', sizeof longer);
  longer[65] = 0;
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    CU_ASSERT_EQUAL(heed_spelling_distance(pairs[i].a, pairs[i].b), pairs[i].apart);
    CU_ASSERT_EQUAL(heed_spelling_distance(pairs[i].b, pairs[i].a), pairs[i].apart);
  }
  CU_ASSERT_EQUAL(heed_spelling_distance(longer, longer), 64);
  CU_ASSERT_EQUAL(heed_spelling_distance(longer + 1, longer + 1), 0);
}

static void finds_what_was_meant(void) {
  static const char *const names[] = {"train", "evaluate", "fill", "tokenizer"};
  static const struct {
    const char *word, *meant;
  } words[] = {{"trian", "train"}, {"evalute", "evaluate"}, {"eval", "evaluate"}, {"tok", "tokenizer"}, {"fil", "fill"}, {"to", NULL},
               {"", NULL},         {"serve", NULL}};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    const char *nearest = heed_spelling_nearest(words[i].word, names, 4);
    CU_ASSERT(nearest == words[i].meant || (nearest && words[i].meant && strcmp(nearest, words[i].meant) == 0));
  }
}

HEED_TESTS({"counts changes", counts_changes}, {"finds what was meant", finds_what_was_meant})
