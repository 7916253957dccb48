/** Private to kernels/: sums over the rows of each slice, column by column (gradients of biases, gains and offsets).
 *
 *  Threads share bands of BAND columns.  Within a slice rows are added in fixed blocks, each block in float and the blocks in double,
 *  so the error does not grow with the number of rows; then slices are summed along the tree. */
#ifndef HEED_KERNELS_COLUMN_SUMS_H
#define HEED_KERNELS_COLUMN_SUMS_H

#include <string.h>

#include "kernels/element.h"
#include "kernels/level.h"
#include "kernels/tree.h"

enum { HEED_BAND = 64, HEED_BAND_ROWS = 32 };

static inline int64_t heed_column_bands(int64_t width) {
  return (width + HEED_BAND - 1) / HEED_BAND;
}

static inline int64_t heed_column_sums_scratch(int64_t slices) {
  return HEED_BAND * heed_tree_room(slices);
}

/** sums[0 … columns) = Σ over rows of x[row, 0 … columns), x of the given stride. */
static inline void heed_column_sums_of_slice(float *sums, const heed_element *x, int64_t rows, int64_t stride, int64_t columns) {
  double total[HEED_BAND] = {0};
  for (int64_t first = 0; first < rows; first += HEED_BAND_ROWS) {
    float block[HEED_BAND] = {0};
    int64_t end = heed_at_most(rows, first + HEED_BAND_ROWS);
    for (int64_t r = first; r < end; r++) {
      float row[HEED_BAND];
      heed_values(row, x + r * stride, columns);
      for (int64_t c = 0; c < columns; c++)
        block[c] += row[c];
    }
    for (int64_t c = 0; c < HEED_BAND; c++)
      total[c] += (double)block[c];
  }
  for (int64_t c = 0; c < HEED_BAND; c++)
    sums[c] = (float)total[c];
}

/** sums[band] = Σ over slices (tree) Σ over rows x[row, band]. */
static inline void heed_column_sums(float *sums, const heed_element *x, const int64_t *starts, int64_t slices, int64_t width, int64_t band,
                                    float *scratch) {
  int64_t first = band * HEED_BAND, columns = heed_at_most(HEED_BAND, width - first), depth = 0;
  for (int64_t g = 0; g < slices; g++) {
    heed_column_sums_of_slice(heed_tree_top(scratch, depth, HEED_BAND), x + starts[g] * width + first, starts[g + 1] - starts[g], width,
                              columns);
    depth = heed_tree_push(scratch, depth, HEED_BAND, g);
  }
  heed_tree_finish(scratch, depth, HEED_BAND);
  heed_tree_write(sums + first, scratch, columns);
}

#endif
