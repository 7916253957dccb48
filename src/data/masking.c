#include "data/masking.h"

#include <math.h>

/* A chosen token is marked in place by complementing its id (ids are never negative), until replace_marked gives it its new one.
 * So the shuffle's order is forgotten, and targets come out in the order of tokens without a sort. */

int64_t heed_mask_count(const heed_mask_rule *rule, int64_t length) {
  int64_t count = llrint(rule->probability * (double)length);
  if (count < 1)
    count = 1;
  return rule->max_predictions > 0 && count > rule->max_predictions ? rule->max_predictions : count;
}

int64_t heed_mask_most(const heed_mask_rule *rule, int64_t length, int64_t specials) {
  int64_t most = length > specials ? length - specials : 0;
  int64_t bound = rule->masking == HEED_MASKING_FIXED ? heed_mask_count(rule, length) : rule->max_predictions;
  return bound > 0 && bound < most ? bound : most;
}

/* Whether the token at `place` goes on with the word before it. */
static bool joins(const heed_mask_rule *rule, const int32_t *ids, int64_t place) {
  return rule->whole_word && place > 0 && rule->kinds[ids[place]] & HEED_TOKEN_CONTINUATION &&
         !(rule->kinds[ids[place - 1]] & HEED_TOKEN_SPECIAL);
}

/* Lists the first tokens of the candidate words (without whole_word every token is a word). */
static int64_t list_words(const heed_mask_rule *rule, const int32_t *ids, int64_t length, int32_t *words) {
  int64_t count = 0;
  for (int64_t place = 0; place < length; place++)
    if (!(rule->kinds[ids[place]] & HEED_TOKEN_SPECIAL) && !joins(rule, ids, place))
      words[count++] = (int32_t)place;
  return count;
}

/* Keeps each word with the rule's probability: drawn < p · 2³², so that p = 1 keeps all. */
static int64_t thin_words(const heed_mask_rule *rule, int32_t *words, int64_t count, heed_draws *draws) {
  double threshold = rule->probability * 0x1p32;
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++)
    if (heed_draw(draws) < threshold)
      words[kept++] = words[i];
  return kept;
}

/* Marks words in shuffled order until `limit` tokens are taken; a word that would pass it is skipped. */
static void mark_words(const heed_mask_rule *rule, int32_t *ids, int64_t length, int32_t *words, int64_t count, int64_t limit,
                       heed_draws *draws) {
  int64_t taken = 0;
  for (int64_t i = 0; i < count && taken < limit; i++) {
    int64_t pick = i + heed_below(heed_draw(draws), (uint64_t)(count - i));
    int64_t start = words[pick], end = start + 1;
    words[pick] = words[i];
    while (end < length && ids[end] >= 0 && joins(rule, ids, end)) /* a marked token here begins the next word */
      end++;
    if (taken + end - start > limit)
      continue;
    taken += end - start;
    for (int64_t place = start; place < end; place++)
      ids[place] = ~ids[place];
  }
}

static int64_t replace_marked(const heed_mask_rule *rule, heed_targets targets, int32_t *ids, int64_t length, int64_t first_token,
                              heed_draws *draws) {
  int64_t count = 0;
  for (int64_t place = 0; place < length; place++) {
    if (ids[place] >= 0)
      continue;
    int32_t original = ~ids[place];
    double what = heed_uniform(heed_draw(draws));
    ids[place] = what < 0.8 ? rule->mask : what < 0.9 ? original : (int32_t)heed_below(heed_draw(draws), (uint64_t)rule->vocabulary_size);
    targets.tokens[count] = first_token + place;
    targets.ids[count] = original;
    targets.is_mask[count] = ids[place] == rule->mask;
    count++;
  }
  return count;
}

int64_t heed_mask_row(const heed_mask_rule *rule, heed_targets targets, int32_t *ids, int64_t length, int64_t first_token, int32_t *scratch,
                      heed_draws *draws) {
  int64_t limit = rule->masking == HEED_MASKING_FIXED ? heed_mask_count(rule, length)
                  : rule->max_predictions > 0         ? rule->max_predictions
                                                      : length;
  int64_t words = list_words(rule, ids, length, scratch);
  if (rule->masking == HEED_MASKING_INDEPENDENT)
    words = thin_words(rule, scratch, words, draws);
  mark_words(rule, ids, length, scratch, words, limit, draws);
  return replace_marked(rule, targets, ids, length, first_token, draws);
}
