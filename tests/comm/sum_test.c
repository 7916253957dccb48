#include "comm/sum.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "test.h"

static void splits(void) {
  static const int64_t known[][2] = {{2, 1}, {3, 2}, {4, 2}, {5, 4}, {6, 4}, {7, 4}, {8, 4}, {9, 8}, {12, 8}, {16, 8}, {17, 16}};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    CU_ASSERT_EQUAL(heed_tree_split(known[i][0]), known[i][1]);
}

/* 2²⁴ + 1 is not a float: which ones survive shows who was added to whom.  ((0 1)(2 3))(4 5). */
static void order_is_that_of_the_tree(void) {
  const float large = 16777216.f;
  const float values[6] = {large, 1, 1, 1, -large, 1};
  const float *leaves[6];
  for (int i = 0; i < 6; i++)
    leaves[i] = &values[i];
  float sum;
  heed_sum_leaves(&sum, leaves, 6, 1);
  /* (large + 1 = large) + 2 = large + 2;  −large + 1 = −(large − 1);  together 3 */
  CU_ASSERT_EQUAL(sum, 3.f);
  heed_sum_leaves(&sum, leaves, 5, 1); /* (large + 2) − large */
  CU_ASSERT_EQUAL(sum, 2.f);
  heed_sum_leaves(&sum, leaves, 1, 1);
  CU_ASSERT_EQUAL(sum, large);
}

/* Many elements, the result in the place of a leaf, any number of threads. */
static void threads_and_places_do_not_matter(void) {
  enum { LEAVES = 7, COUNT = 100003 };
  float *block = malloc(sizeof(float) * LEAVES * COUNT), *expected = malloc(sizeof(float) * COUNT);
  float *in_place = malloc(sizeof(float) * COUNT);
  const float *leaves[LEAVES];
  for (int l = 0; l < LEAVES; l++)
    leaves[l] = block + (size_t)l * COUNT;
  for (int i = 0; i < LEAVES * COUNT; i++)
    block[i] = (float)(i % 131 * 7919 % 1000003) / (float)(1 + i % 977);
  for (int i = 0; i < COUNT; i++) {
    const float left = (leaves[0][i] + leaves[1][i]) + (leaves[2][i] + leaves[3][i]);
    const float right = (leaves[4][i] + leaves[5][i]) + leaves[6][i];
    expected[i] = left + right;
  }
  for (int threads = 1; threads <= 3; threads++) {
    omp_set_num_threads(threads);
    memcpy(in_place, leaves[5], sizeof(float) * COUNT);
    leaves[5] = in_place;
    heed_sum_leaves(in_place, leaves, LEAVES, COUNT);
    leaves[5] = block + (size_t)5 * COUNT;
    CU_ASSERT_EQUAL(memcmp(in_place, expected, sizeof(float) * COUNT), 0);
  }
  memcpy(in_place, leaves[0], sizeof(float) * COUNT);
  heed_sum_into(in_place, leaves[1], COUNT);
  int wrong = 0;
  for (int i = 0; i < COUNT; i++)
    wrong += in_place[i] != leaves[0][i] + leaves[1][i];
  CU_ASSERT_EQUAL(wrong, 0);
  free(block);
  free(expected);
  free(in_place);
}

HEED_TESTS({"splits", splits}, {"order is that of the tree", order_is_that_of_the_tree},
           {"threads and places do not matter", threads_and_places_do_not_matter})
