#include "base/tree.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"

static void splits_at_the_largest_power_of_two_below(void) {
  static const int64_t expected[][2] = {{2, 1}, {3, 2}, {4, 2}, {5, 4}, {8, 4}, {9, 8}, {12, 8}, {16, 8}, {17, 16}, {1000, 512}};
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
    CU_ASSERT_EQUAL(heed_tree_split(expected[i][0]), expected[i][1]);
}

/* Leaves of very different size, so that the order of additions shows. */
static double leaf(int64_t i) {
  return ldexp((double)((i * 7919) % 1009) - 500.0, (int)((i * 31) % 60));
}

static void sums_in_the_order_of_the_tree(void) {
  double v[24];
  for (int i = 0; i < 24; i++)
    v[i] = leaf(i);
  CU_ASSERT_EQUAL(heed_tree_sum(v, 1, 1), v[0]);
  CU_ASSERT_EQUAL(heed_tree_sum(v, 5, 1), ((v[0] + v[1]) + (v[2] + v[3])) + v[4]);
  CU_ASSERT_EQUAL(heed_tree_sum(v, 6, 1), ((v[0] + v[1]) + (v[2] + v[3])) + (v[4] + v[5]));
  CU_ASSERT_EQUAL(heed_tree_sum(v, 3, 8), (v[0] + v[8]) + v[16]); /* with a stride */
}

/* The promise: with q·2ⁿ leaves on 2ᵏ ranks, each rank sums its own range and the ranks' sums make the same bits. */
static void ranks_of_a_power_of_two_make_the_same_sum(void) {
  for (int64_t q = 1; q <= 7; q += 2)
    for (int64_t leaves = q; leaves <= 64 * q; leaves *= 2) {
      double *v = malloc((size_t)leaves * sizeof *v);
      CU_ASSERT_PTR_NOT_NULL_FATAL(v);
      for (int64_t i = 0; i < leaves; i++)
        v[i] = leaf(i);
      double whole = heed_tree_sum(v, leaves, 1);
      /* pieces of `run` neighbours, a power of two, are subtrees; a rank holds one or several of them */
      for (int64_t run = 1; run <= leaves / q; run *= 2) {
        double *pieces = malloc((size_t)(leaves / run) * sizeof *pieces);
        CU_ASSERT_PTR_NOT_NULL_FATAL(pieces);
        for (int64_t p = 0; p < leaves / run; p++)
          pieces[p] = heed_tree_sum(v + p * run, run, 1);
        CU_ASSERT_EQUAL(heed_tree_sum(pieces, leaves / run, 1), whole);
        free(pieces);
      }
      free(v);
    }
}

HEED_TESTS({"splits at the largest power of two below", splits_at_the_largest_power_of_two_below},
           {"sums in the order of the tree", sums_in_the_order_of_the_tree},
           {"ranks of a power of two make the same sum", ranks_of_a_power_of_two_make_the_same_sum})
