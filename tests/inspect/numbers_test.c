/* Rollout against the sum over all ways through the layers, and entropy of maps whose entropy is known. */
#include "inspect/numbers.h"

#include <math.h>
#include <stdbool.h>

#include "reference/numbers.h"
#include "test.h"

enum { L = 3, H = 2, S = 5 };

/* Maps whose rows sum to 1, the upper triangle 0 if causal. */
static float *random_maps(int64_t maps, int64_t tokens, bool causal) {
  float *weights = test_floats(maps * tokens * tokens);
  for (int64_t row = 0; row < maps * tokens; row++) {
    double sum = 0;
    int64_t end = causal ? row % tokens + 1 : tokens;
    for (int64_t k = 0; k < end; k++)
      sum += exp(4 * test_number(9, row * tokens + k));
    for (int64_t k = 0; k < end; k++)
      weights[row * tokens + k] = (float)(exp(4 * test_number(9, row * tokens + k)) / sum);
  }
  return weights;
}

/* One step of a way: from token q of a layer's output to token k of its input. */
static double step(const float *weights, int64_t layer, int64_t q, int64_t k) {
  double share = q == k ? 0.5 : 0;
  for (int64_t h = 0; h < H; h++)
    share += 0.5 * (double)weights[((layer * H + h) * S + q) * S + k] / H;
  return share;
}

/* The sum over all ways from token q above `layer` down to token k of the text. */
static double ways(const float *weights, int64_t layer, int64_t q, int64_t k) {
  if (layer < 0)
    return q == k;
  double sum = 0;
  for (int64_t j = 0; j < S; j++)
    sum += step(weights, layer, q, j) * ways(weights, layer - 1, j, k);
  return sum;
}

static void rollout_sums_all_ways(void) {
  for (int causal = 0; causal < 2; causal++) {
    const float *weights = random_maps(L * H, S, causal);
    float *rollout = test_floats(L * S * S);
    CU_ASSERT_EQUAL_FATAL(heed_rollout(rollout, weights, L, H, S), HEED_OK);
    for (int64_t l = 0; l < L; l++)
      for (int64_t q = 0; q < S; q++) {
        double sum = 0;
        for (int64_t k = 0; k < S; k++) {
          double share = (double)rollout[(l * S + q) * S + k];
          CU_ASSERT_DOUBLE_EQUAL(share, ways(weights, l, q, k), 2e-7);
          CU_ASSERT(!causal || k <= q || share == 0);
          sum += share;
        }
        CU_ASSERT_DOUBLE_EQUAL(sum, 1, 1e-6);
      }
  }
  test_release();
}

/* Rows that do not sum to 1 are made to. */
static void rollout_is_normalised(void) {
  const float weights[4] = {3, 0, 0, 1};
  float rollout[4];
  CU_ASSERT_EQUAL_FATAL(heed_rollout(rollout, weights, 1, 1, 2), HEED_OK);
  CU_ASSERT_EQUAL(rollout[0], 1);
  CU_ASSERT_EQUAL(rollout[1], 0);
  CU_ASSERT_EQUAL(rollout[2], 0);
  CU_ASSERT_EQUAL(rollout[3], 1);
}

static void entropy_of_known_maps(void) {
  float map[16] = {0};
  for (int i = 0; i < 16; i++)
    map[i] = 0.25f;
  CU_ASSERT_DOUBLE_EQUAL(heed_map_entropy(map, 4), log(4), 1e-12);
  for (int i = 0; i < 16; i++)
    map[i] = i % 4 == i / 4;
  CU_ASSERT_EQUAL(heed_map_entropy(map, 4), 0);
  for (int k = 0; k < 4; k++) /* one broad row of four */
    map[k] = 0.25f;
  CU_ASSERT_DOUBLE_EQUAL(heed_map_entropy(map, 4), log(4) / 4, 1e-12);
  map[9] = NAN;
  CU_ASSERT(isnan(heed_map_entropy(map, 4)));
}

HEED_TESTS({"rollout sums all ways", rollout_sums_all_ways}, {"rollout is normalised", rollout_is_normalised},
           {"entropy of known maps", entropy_of_known_maps})
