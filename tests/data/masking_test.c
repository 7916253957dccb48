#include "data/masking.h"

#include <math.h>
#include <string.h>

#include "test.h"

/* A vocabulary of 100: 0 … 4 special ([CLS] 2, [SEP] 3, [MASK] 4), 60 … 99 begin with ##. */
enum { V = 100, UNKNOWN = 1, CLASSIFY = 2, SEPARATE = 3, MASK = 4, FIRST_WORD = 5, FIRST_PIECE = 60, LONGEST = 600 };

static uint8_t kinds[V];

static heed_mask_rule rule_of(heed_masking masking, double probability) {
  for (int id = 0; id < V; id++)
    kinds[id] = id < FIRST_WORD ? HEED_TOKEN_SPECIAL : id >= FIRST_PIECE ? HEED_TOKEN_CONTINUATION : 0;
  return (heed_mask_rule){.masking = masking, .probability = probability, .vocabulary_size = V, .kinds = kinds, .mask = MASK};
}

typedef struct masked_row {
  int32_t before[LONGEST], ids[LONGEST];
  int64_t length, count;
  int64_t tokens[LONGEST];
  int32_t originals[LONGEST];
  bool is_mask[LONGEST];
} masked_row;

/* [CLS] words and pieces [SEP]; with pieces, about 40% of the tokens go on with the word before. */
static void make_row(masked_row *row, int64_t length, uint32_t number) {
  heed_draws draws = heed_draws_begin(1, HEED_FOR_SYNTHETIC, number, 0, 0);
  row->length = length;
  for (int64_t t = 0; t < length; t++)
    row->before[t] = FIRST_WORD + (int32_t)heed_below(heed_draw(&draws), V - FIRST_WORD);
  row->before[0] = CLASSIFY;
  row->before[length - 1] = SEPARATE;
}

static void mask(masked_row *row, const heed_mask_rule *rule, uint32_t number) {
  int32_t scratch[LONGEST];
  heed_draws draws = heed_draws_begin(7, HEED_FOR_MASKING, number, 0, 0);
  memcpy(row->ids, row->before, sizeof row->ids);
  row->count = heed_mask_row(rule, (heed_targets){row->tokens, row->originals, row->is_mask}, row->ids, row->length, 1000, scratch, &draws);
}

/* What holds for every masked row: targets in order, none special, originals kept, all else untouched. */
static void check_row(const masked_row *row) {
  int32_t restored[LONGEST];
  memcpy(restored, row->ids, sizeof restored);
  for (int64_t m = 0; m < row->count; m++) {
    int64_t place = row->tokens[m] - 1000;
    CU_ASSERT_FATAL(place > 0 && place < row->length - 1);
    CU_ASSERT(m == 0 || row->tokens[m - 1] < row->tokens[m]);
    CU_ASSERT(!(kinds[row->originals[m]] & HEED_TOKEN_SPECIAL));
    CU_ASSERT_EQUAL(row->is_mask[m], row->ids[place] == MASK);
    CU_ASSERT(row->ids[place] >= 0 && row->ids[place] < V);
    restored[place] = row->originals[m];
  }
  CU_ASSERT_EQUAL(memcmp(restored, row->before, (size_t)row->length * sizeof *restored), 0);
}

static void fixed_counts(void) {
  static const int64_t expected[][2] = {{3, 1}, {4, 1}, {9, 1}, {10, 2}, {11, 2}, {30, 4}, {64, 10}, {128, 19}, {512, 77}};
  heed_mask_rule rule = rule_of(HEED_MASKING_FIXED, 0.15);
  masked_row row;
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    make_row(&row, expected[i][0], (uint32_t)i);
    mask(&row, &rule, (uint32_t)i);
    check_row(&row);
    CU_ASSERT_EQUAL(row.count, expected[i][1]);
    CU_ASSERT_EQUAL(heed_mask_most(&rule, expected[i][0], 2), expected[i][1]);
  }
  rule.max_predictions = 20;
  make_row(&row, 512, 1);
  mask(&row, &rule, 1);
  CU_ASSERT_EQUAL(row.count, 20);
  CU_ASSERT_EQUAL(heed_mask_most(&rule, 512, 2), 20);
  rule = rule_of(HEED_MASKING_FIXED, 1);
  mask(&row, &rule, 1);
  CU_ASSERT_EQUAL(row.count, 510);
  CU_ASSERT_EQUAL(heed_mask_most(&rule, 512, 2), 510);
}

static bool within_4_sigma(double found, double trials, double p) {
  return fabs(found - trials * p) <= 4 * sqrt(trials * p * (1 - p));
}

/* Kept: as it was, by 10% and by 10% · 1/V at random; so is [MASK] reached. */
static void eighty_ten_ten(void) {
  heed_mask_rule rule = rule_of(HEED_MASKING_FIXED, 0.15);
  masked_row row;
  double masks = 0, kept = 0, total = 0, random[V] = {0};
  for (uint32_t n = 0; n < 20000; n++) {
    make_row(&row, 128, n);
    mask(&row, &rule, n);
    for (int64_t m = 0; m < row.count; m++, total++) {
      int32_t now = row.ids[row.tokens[m] - 1000];
      masks += now == MASK;
      kept += now == row.originals[m];
      if (now != MASK && now != row.originals[m])
        random[now]++;
    }
  }
  CU_ASSERT_EQUAL(total, 20000.0 * 19);
  CU_ASSERT(within_4_sigma(masks, total, 0.8 + 0.1 / V));
  CU_ASSERT(within_4_sigma(kept, total, 0.1 + 0.1 / V));
  /* Random tokens: uniform over the vocabulary, special ones included ([MASK] itself is counted above). */
  double chi2 = 0;
  for (int id = 0; id < V; id++) {
    double expected = total * 0.1 / V * (id < FIRST_WORD ? 1 : 1 - 1.0 / (V - FIRST_WORD));
    if (id != MASK)
      chi2 += (random[id] - expected) * (random[id] - expected) / expected;
  }
  CU_ASSERT(chi2 < 99 + 5 * sqrt(2 * 99));
}

/* Every place between the special ones is taken as often as any other. */
static void places_are_alike(const heed_mask_rule *rule, double expected_share) {
  enum { LENGTH = 42, ROWS = 30000 };
  masked_row row;
  double taken[LENGTH] = {0};
  for (uint32_t n = 0; n < ROWS; n++) {
    make_row(&row, LENGTH, n);
    mask(&row, rule, n);
    for (int64_t m = 0; m < row.count; m++)
      taken[row.tokens[m] - 1000]++;
  }
  for (int t = 1; t < LENGTH - 1; t++)
    CU_ASSERT(within_4_sigma(taken[t], ROWS, expected_share));
}

static void fixed_places(void) {
  heed_mask_rule rule = rule_of(HEED_MASKING_FIXED, 0.15);
  places_are_alike(&rule, 6.0 / 40); /* round(6.3) of 40 */
}

static void independent(void) {
  heed_mask_rule rule = rule_of(HEED_MASKING_INDEPENDENT, 0.15);
  masked_row row;
  double sum = 0, squares = 0, rows = 5000, candidates = 98;
  for (uint32_t n = 0; n < rows; n++) {
    make_row(&row, 100, n);
    mask(&row, &rule, n);
    check_row(&row);
    sum += (double)row.count;
    squares += (double)(row.count * row.count);
  }
  CU_ASSERT(within_4_sigma(sum, rows * candidates, 0.15));
  double variance = squares / rows - sum / rows * sum / rows, binomial = candidates * 0.15 * 0.85;
  CU_ASSERT(fabs(variance / binomial - 1) < 4 * sqrt(2 / rows));
  CU_ASSERT_EQUAL(heed_mask_most(&rule, 100, 2), 98);
  places_are_alike(&rule, 0.15);
  rule = rule_of(HEED_MASKING_INDEPENDENT, 1);
  mask(&row, &rule, 0);
  CU_ASSERT_EQUAL(row.count, 98);
}

/* A bound on independent masking takes a random part of what was drawn, not the front of the row. */
static void independent_with_a_bound(void) {
  heed_mask_rule rule = rule_of(HEED_MASKING_INDEPENDENT, 0.5);
  rule.max_predictions = 4;
  masked_row row;
  for (uint32_t n = 0; n < 100; n++) {
    make_row(&row, 42, n);
    mask(&row, &rule, n);
    check_row(&row);
    CU_ASSERT(row.count <= 4);
  }
  CU_ASSERT_EQUAL(heed_mask_most(&rule, 42, 2), 4);
  places_are_alike(&rule, 4.0 / 40); /* fewer than four of 40 at ½ has a chance of 1e-8 */
}

/* The word of a place: its first token.  Worked out from the front, as create_pretraining_data.py does. */
static int64_t word_of(const masked_row *row, int64_t place) {
  int64_t word = 0;
  for (int64_t t = 1; t <= place; t++)
    if (t == 1 || row->before[t] < FIRST_PIECE)
      word = t;
  return word;
}

static void whole_words(void) {
  heed_masking kinds_of_masking[] = {HEED_MASKING_FIXED, HEED_MASKING_INDEPENDENT};
  masked_row row;
  for (int k = 0; k < 2; k++) {
    heed_mask_rule rule = rule_of(kinds_of_masking[k], 0.15);
    rule.whole_word = true;
    int64_t total = 0, full = 0, split = 0;
    for (uint32_t n = 0; n < 2000; n++) {
      bool taken[LONGEST] = {false};
      make_row(&row, 128, n);
      mask(&row, &rule, n);
      check_row(&row);
      for (int64_t m = 0; m < row.count; m++)
        taken[row.tokens[m] - 1000] = true;
      for (int64_t t = 1; t < 127; t++)
        split += taken[t] != taken[word_of(&row, t)];
      total += row.count;
      full += row.count == 19;
      CU_ASSERT(k == 1 || row.count <= 19);
    }
    CU_ASSERT_EQUAL(split, 0);
    CU_ASSERT(k == 1 || full > 1990); /* a word that would pass is skipped, and shorter ones fill up */
    CU_ASSERT(k == 0 || fabs((double)total / (2000.0 * 126) - 0.15) < 0.005);
  }
}

/* One word of four pieces and a count of one: it would pass, so nothing is taken. */
static void word_that_would_pass(void) {
  heed_mask_rule rule = rule_of(HEED_MASKING_FIXED, 0.15);
  rule.whole_word = true;
  masked_row row = {.before = {CLASSIFY, 10, 61, 62, 63, SEPARATE}, .length = 6};
  for (uint32_t n = 0; n < 50; n++) {
    mask(&row, &rule, n);
    CU_ASSERT_EQUAL(row.count, 0);
    CU_ASSERT_EQUAL(memcmp(row.ids, row.before, 6 * sizeof *row.ids), 0);
  }
  /* Pieces at the start of a row, whose word began in the row before, are a word of their own. */
  row = (masked_row){.before = {CLASSIFY, 61, SEPARATE}, .length = 3};
  mask(&row, &rule, 0);
  CU_ASSERT_EQUAL(row.count, 1);
}

static void no_candidates(void) {
  masked_row rows[] = {{.before = {CLASSIFY, SEPARATE}, .length = 2}, {.before = {CLASSIFY, UNKNOWN, MASK, SEPARATE}, .length = 4}};
  for (int masking = 0; masking < 2; masking++)
    for (int whole = 0; whole < 2; whole++)
      for (int i = 0; i < 2; i++) {
        heed_mask_rule rule = rule_of(masking ? HEED_MASKING_INDEPENDENT : HEED_MASKING_FIXED, 0.9);
        rule.whole_word = whole;
        mask(&rows[i], &rule, 0);
        CU_ASSERT_EQUAL(rows[i].count, 0);
        CU_ASSERT_EQUAL(memcmp(rows[i].ids, rows[i].before, (size_t)rows[i].length * sizeof(int32_t)), 0);
      }
}

static void named_by_the_row(void) {
  heed_mask_rule rule = rule_of(HEED_MASKING_FIXED, 0.15);
  masked_row a, b, c;
  make_row(&a, 128, 0);
  make_row(&b, 128, 0);
  make_row(&c, 128, 0);
  mask(&a, &rule, 5);
  mask(&b, &rule, 5);
  mask(&c, &rule, 6);
  CU_ASSERT_EQUAL(memcmp(a.ids, b.ids, 128 * sizeof *a.ids), 0);
  CU_ASSERT_NOT_EQUAL(memcmp(a.tokens, c.tokens, 19 * sizeof *a.tokens), 0);
}

HEED_TESTS({"fixed counts are exact", fixed_counts}, {"80% [MASK], 10% kept, 10% random", eighty_ten_ten},
           {"fixed: every place is as likely", fixed_places}, {"independent: rate, variance and places", independent},
           {"independent with a bound", independent_with_a_bound}, {"whole words", whole_words},
           {"a word that would pass the count is skipped", word_that_would_pass}, {"rows without candidates", no_candidates},
           {"masks depend on the row's name", named_by_the_row})
