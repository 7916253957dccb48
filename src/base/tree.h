/** The fixed binary tree of sums: a range of n leaves is split at the largest power of two below n.  Whatever rank computed which
 *  leaf, and in how many passes, additions happen in this order, so a sum has the same bits everywhere. */
#ifndef HEED_BASE_TREE_H
#define HEED_BASE_TREE_H

#include <stdint.h>

/** Leaves of the left branch of n ≥ 2 leaves. */
static inline int64_t heed_tree_split(int64_t n) {
  int64_t split = 1;
  while (2 * split < n)
    split *= 2;
  return split;
}

/** The sum of values[0], values[stride], … (n ≥ 1 of them). */
static inline double heed_tree_sum(const double *values, int64_t n, int64_t stride) {
  if (n == 1)
    return values[0];
  int64_t split = heed_tree_split(n);
  return heed_tree_sum(values, split, stride) + heed_tree_sum(values + split * stride, n - split, stride);
}

#endif
