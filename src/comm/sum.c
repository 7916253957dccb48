#include "comm/sum.h"

#include <string.h>

#include "base/tree.h"

/** Floats summed at once: the partial sums of all levels stay in the first cache. */
enum { TILE = 1024 };

/** Below this many floats a parallel region costs more than it saves. */
enum { WORTH_THREADS = 1 << 15 };

void heed_sum_into(float *restrict into, const float *restrict from, int64_t count) {
#pragma omp parallel for simd schedule(static) if (count >= WORTH_THREADS)
  for (int64_t i = 0; i < count; i++)
    into[i] += from[i];
}

/* The sum over leaves [0, leaf_count) of the tile [begin, begin + length).  Depth: log2 of leaf_count. */
static void sum_tile(float *restrict sum, const float *const *leaves, int64_t leaf_count, int64_t begin, int64_t length) {
  if (leaf_count == 1) {
    memcpy(sum, leaves[0] + begin, (size_t)length * sizeof *sum);
    return;
  }
  float right[TILE];
  const int64_t split = heed_tree_split(leaf_count);
  sum_tile(sum, leaves, split, begin, length);
  sum_tile(right, leaves + split, leaf_count - split, begin, length);
#pragma omp simd
  for (int64_t i = 0; i < length; i++)
    sum[i] += right[i];
}

void heed_sum_leaves(float *sum, const float *const *leaves, int64_t leaf_count, int64_t count) {
#pragma omp parallel for schedule(static) if (count >= WORTH_THREADS)
  for (int64_t begin = 0; begin < count; begin += TILE) {
    const int64_t length = count - begin < TILE ? count - begin : TILE;
    float tile[TILE]; /* `sum` may be a leaf that is still to be read */
    sum_tile(tile, leaves, leaf_count, begin, length);
    memcpy(sum + begin, tile, (size_t)length * sizeof *sum);
  }
}
