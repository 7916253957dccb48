/* Linear layers: tiles over serial OpenBLAS.
 *
 * A product is cut into tiles of rows × columns with the whole inner dimension each; the threads share the tiles.  OpenBLAS may compute
 * a row in another way in a tile of another height, so the grid of rows restarts at each slice: a row's bits then depend on its own
 * slice alone.  The grid is a function of the shape only.  Tiles of one column band follow each other, so its weights stay in cache. */
#include <string.h>

#include "kernels/column_sums.h"
#include "kernels/level.h"
#include "kernels/product.h"
#include "kernels/tree.h"

/* Sizes of tiles, measured on the shapes of BERT-mini to -base: smaller ones lose to packing, larger ones to cache and to uneven shares.
 * Wide layers have tiles enough to take them wider; small weights are cut finer, so that there is work for several threads. */
enum { ROWS_MOST = 256, WEIGHT_ROWS_MOST = 256, WEIGHT_COLUMNS_MOST = 256 };

static int64_t columns_most(int64_t outputs) {
  return outputs >= 2048 ? 512 : 256;
}
static int64_t weight_rows_most(int64_t outputs, int64_t inputs) {
  return outputs * inputs <= 256 * 256 ? 64 : outputs * inputs <= 1024 * 256 ? 128 : WEIGHT_ROWS_MOST;
}

/** `extent` rows or columns cut into `count` even parts of `size`, the last one perhaps smaller. */
typedef struct parts {
  int64_t extent, size, count;
} parts;

static parts parts_of(int64_t extent, int64_t most) {
  if (extent == 0)
    return (parts){0, 1, 0};
  int64_t wanted = (extent + most - 1) / most;
  int64_t size = heed_in_lanes((extent + wanted - 1) / wanted);
  return (parts){extent, size, (extent + size - 1) / size};
}

static int64_t part_length(parts cut, int64_t part) {
  return heed_at_most(cut.size, cut.extent - part * cut.size);
}

/** The row parts of the slice that has the most of them. */
static int64_t most_row_parts(const int64_t *starts, int64_t slices) {
  int64_t most = 0;
  for (int64_t g = 0; g < slices; g++)
    most = heed_at_least(most, parts_of(starts[g + 1] - starts[g], ROWS_MOST).count);
  return most;
}

/** One tile of the grid: rows [row, row + rows) by columns [column, column + columns).  Empty when its slice has fewer row parts. */
typedef struct tile {
  int64_t row, rows, column, columns;
} tile;

static tile tile_of(int64_t item, const int64_t *starts, int64_t slices, int64_t row_parts, parts columns) {
  int64_t part = item % row_parts, g = item / row_parts % slices, band = item / row_parts / slices;
  parts rows = parts_of(starts[g + 1] - starts[g], ROWS_MOST);
  if (part >= rows.count)
    return (tile){0};
  return (tile){starts[g] + part * rows.size, part_length(rows, part), band * columns.size, part_length(columns, band)};
}

void HEED_KERNEL(linear_forward)(float *y, const float *x, const float *w, const float *bias, const int64_t *starts, int64_t slices,
                                 int64_t inputs, int64_t outputs) {
  parts columns = parts_of(outputs, columns_most(outputs));
  int64_t row_parts = most_row_parts(starts, slices);
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < columns.count * slices * row_parts; item++) {
    tile t = tile_of(item, starts, slices, row_parts, columns);
    if (t.rows == 0)
      continue;
    float *y_tile = y + t.row * outputs + t.column;
    for (int64_t r = 0; bias && r < t.rows; r++) /* the product is added to the bias, in place of being added to zero */
      memcpy(y_tile + r * outputs, bias + t.column, (size_t)t.columns * sizeof *y);
    heed_product(y_tile, outputs, bias != NULL, 1.0f, heed_plain(x + t.row * inputs, inputs),
                 heed_transposed(w + t.column * inputs, inputs), t.rows, t.columns, inputs);
  }
}

void HEED_KERNEL(linear_backward_input)(float *d_x, const float *d_y, const float *w, const int64_t *starts, int64_t slices, int64_t inputs,
                                        int64_t outputs, bool add) {
  parts columns = parts_of(inputs, columns_most(inputs));
  int64_t row_parts = most_row_parts(starts, slices);
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < columns.count * slices * row_parts; item++) {
    tile t = tile_of(item, starts, slices, row_parts, columns);
    if (t.rows == 0)
      continue;
    heed_product(d_x + t.row * inputs + t.column, inputs, add, 1.0f, heed_plain(d_y + t.row * outputs, outputs),
                 heed_plain(w + t.column, inputs), t.rows, t.columns, outputs);
  }
}

int64_t HEED_KERNEL(linear_scratch)(int64_t slices) {
  return heed_at_least(WEIGHT_ROWS_MOST * WEIGHT_COLUMNS_MOST * heed_tree_room(slices), heed_column_sums_scratch(slices));
}

/** One tile of d_w: the product of each slice, summed along the tree in scratch (in cache), added once. */
static void weight_tile(float *d_w, const float *d_y, const float *x, const int64_t *starts, int64_t slices, int64_t inputs,
                        int64_t outputs, tile t, float *scratch) {
  int64_t size = t.rows * t.columns, depth = 0;
  for (int64_t g = 0; g < slices; g++) {
    heed_product(heed_tree_top(scratch, depth, size), t.columns, false, 1.0f, heed_transposed(d_y + starts[g] * outputs + t.row, outputs),
                 heed_plain(x + starts[g] * inputs + t.column, inputs), t.rows, t.columns, starts[g + 1] - starts[g]);
    depth = heed_tree_push(scratch, depth, size, g);
  }
  heed_tree_finish(scratch, depth, size);
  for (int64_t r = 0; r < t.rows; r++)
    heed_tree_add(d_w + (t.row + r) * inputs + t.column, scratch + r * t.columns, t.columns);
}

void HEED_KERNEL(linear_backward_weight)(float *d_w, float *d_bias, const float *d_y, const float *x, const int64_t *starts, int64_t slices,
                                         int64_t inputs, int64_t outputs, float *scratch) {
  parts rows = parts_of(outputs, weight_rows_most(outputs, inputs)), columns = parts_of(inputs, WEIGHT_COLUMNS_MOST);
  int64_t tiles = rows.count * columns.count, bands = d_bias ? heed_column_bands(outputs) : 0;
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < tiles + bands; item++) {
    if (item >= tiles) {
      heed_column_sums(d_bias, d_y, starts, slices, outputs, item - tiles, scratch);
      continue;
    }
    int64_t r = item / columns.count, c = item % columns.count;
    tile t = {r * rows.size, part_length(rows, r), c * columns.size, part_length(columns, c)};
    weight_tile(d_w, d_y, x, starts, slices, inputs, outputs, t, scratch);
  }
}
