/** Private to kernels/: sums over the rows of each slice, column by column (gradients of biases, gains and offsets).
 *
 *  Within a slice rows are added in blocks of HEED_BAND_ROWS, in float; threads share the blocks, which leave their sums in the
 *  workspace, so that each row is read once and from its beginning to its end.  Then threads share bands of columns: blocks are added in
 *  double, in their order, so that the error does not grow with the number of rows, and slices along the tree. */
#ifndef HEED_KERNELS_COLUMN_SUMS_H
#define HEED_KERNELS_COLUMN_SUMS_H

#include <string.h>

#include "kernels/element.h"
#include "kernels/level.h"
#include "kernels/tree.h"

enum {
  HEED_BAND = 64,      /* columns */
  HEED_BAND_ROWS = 32, /* of a block */
  HEED_SUM_ROWS = 4    /* added at a time, so that the sums are loaded and stored once for them all */
};

static inline int64_t heed_column_sums_scratch(int64_t slices) {
  return HEED_BAND * heed_tree_room(slices);
}

static inline int64_t heed_row_blocks_of(int64_t rows) {
  return (rows + HEED_BAND_ROWS - 1) / HEED_BAND_ROWS;
}

/** The most blocks of so many rows in so many slices. */
static inline int64_t heed_row_blocks_room(int64_t rows, int64_t slices) {
  return rows / HEED_BAND_ROWS + slices;
}

static inline int64_t heed_row_blocks(const int64_t *starts, int64_t slices) {
  int64_t blocks = 0;
  for (int64_t g = 0; g < slices; g++)
    blocks += heed_row_blocks_of(starts[g + 1] - starts[g]);
  return blocks;
}

/** A thread's walk over blocks, forwards: `slice` and its first block; then rows [first, end) of the block it stands on. */
typedef struct heed_block_walk {
  int64_t slice, before, first, end;
} heed_block_walk;

static inline void heed_walk_to_block(heed_block_walk *walk, int64_t block, const int64_t *starts) {
  for (int64_t blocks; block >= walk->before + (blocks = heed_row_blocks_of(starts[walk->slice + 1] - starts[walk->slice])); walk->slice++)
    walk->before += blocks;
  walk->first = starts[walk->slice] + (block - walk->before) * HEED_BAND_ROWS;
  walk->end = heed_at_most(starts[walk->slice + 1], walk->first + HEED_BAND_ROWS);
}

/** sums[0 … columns) = Σ over slices (tree) Σ over their blocks of blocks[block, 0 … columns), which are `stride` floats apart. */
static inline void heed_sum_blocks(float *sums, const float *blocks, int64_t stride, const int64_t *starts, int64_t slices, int64_t columns,
                                   float *scratch) {
  int64_t depth = 0;
  for (int64_t g = 0; g < slices; g++) {
    float *top = heed_tree_top(scratch, depth, HEED_BAND);
    double total[HEED_BAND] = {0};
    for (int64_t n = heed_row_blocks_of(starts[g + 1] - starts[g]); n > 0; n--, blocks += stride)
#pragma omp simd
      for (int64_t c = 0; c < columns; c++)
        total[c] += (double)blocks[c];
    for (int64_t c = 0; c < HEED_BAND; c++)
      top[c] = (float)total[c];
    depth = heed_tree_push(scratch, depth, HEED_BAND, g);
  }
  heed_tree_finish(scratch, depth, HEED_BAND);
  heed_tree_write(sums, scratch, columns);
}

/** sums[0 … columns) += `rows` rows of x, one after the other; `rows` and, mostly, `columns` are constants. */
static inline __attribute__((always_inline)) void heed_add_rows(float *sums, const heed_element *x, int64_t stride, const int rows,
                                                                const int64_t columns) {
  float value[HEED_SUM_ROWS][HEED_BAND];
  for (int r = 0; r < rows; r++)
    heed_values(value[r], x + r * stride, columns);
#pragma omp simd
  for (int64_t c = 0; c < columns; c++) {
    float sum = sums[c];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++)
      sum += value[r][c];
    sums[c] = sum;
  }
}

/** sums[0 … width) = Σ over rows [first, end) of x[row, 0 … width). */
static inline void heed_sum_rows(float *sums, const heed_element *x, int64_t first, int64_t end, int64_t width) {
  memset(sums, 0, (size_t)width * sizeof *sums);
  for (int64_t r = first; r < end;) {
    int64_t rows = end - r < HEED_SUM_ROWS ? 1 : HEED_SUM_ROWS, column = 0;
    const heed_element *row = x + r * width;
    for (; rows == HEED_SUM_ROWS && column + HEED_BAND <= width; column += HEED_BAND)
      heed_add_rows(sums + column, row + column, width, HEED_SUM_ROWS, HEED_BAND);
    for (int64_t left; (left = width - column) > 0; column += HEED_BAND)
      for (int64_t i = 0; i < rows; i++)
        heed_add_rows(sums + column, row + i * width + column, width, 1, heed_at_most(HEED_BAND, left));
    r += rows;
  }
}

/** sums[width] = Σ over slices (tree) Σ over rows of x.  workspace: heed_row_blocks_room · width floats.  Shared by the threads. */
static inline void heed_column_sums(float *sums, const heed_element *x, const int64_t *starts, int64_t slices, int64_t width,
                                    float *workspace, float *scratch) {
  heed_block_walk walk = {0};
#pragma omp for schedule(static)
  for (int64_t block = 0; block < heed_row_blocks(starts, slices); block++) {
    heed_walk_to_block(&walk, block, starts);
    heed_sum_rows(workspace + block * width, x, walk.first, walk.end, width);
  }
#pragma omp for schedule(dynamic)
  for (int64_t column = 0; column < width; column += HEED_BAND)
    heed_sum_blocks(sums + column, workspace + column, width, starts, slices, heed_at_most(HEED_BAND, width - column), scratch);
}

#endif
