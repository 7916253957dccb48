/* Gradients of a linear layer's weights and bias:
 *
 *     dW = Σ_g dy_gᵀ·x_g,   db = Σ dy
 *
 * Both factors are laid out anew, slice by slice, since their sums run over rows.  A tile of dW is the product of each slice, summed along
 * the tree over slices while it is in a near cache, and written once. */
#include <omp.h>

#include "kernels/block.h"
#include "kernels/column_sums.h"
#include "kernels/linear.h"
#include "kernels/tree.h"

/** Both factors of d_w, laid out slice by slice: the columns of d_y as rows, those of x as panels. */
typedef struct gradient_factors {
  const heed_element *d_y, *x;
  const int64_t *starts;
  int64_t slices, inputs, outputs;
  int64_t deep; /* places in depth of all slices, each in whole steps */
  heed_element *left, *right;
} gradient_factors;

/** The place in depth where a slice begins. */
static int64_t place_of(const gradient_factors *f, int64_t slice) {
  int64_t place = 0;
  for (int64_t g = 0; g < slice; g++)
    place += heed_in_steps(f->starts[g + 1] - f->starts[g]);
  return place;
}

static void pack_right(const gradient_factors *f) {
  int64_t panels = heed_in_panels(f->inputs) / HEED_PANEL;
#pragma omp for schedule(static) nowait /* the barrier after pack_left is for both */
  for (int64_t item = 0; item < panels * f->slices; item++) {
    int64_t p = item / f->slices, g = item % f->slices, start = f->starts[g];
    heed_pack_panel(f->right + (p * f->deep + place_of(f, g)) * HEED_PANEL, f->x + start * f->inputs + p * HEED_PANEL, f->inputs,
                    heed_at_most(HEED_PANEL, f->inputs - p * HEED_PANEL), f->starts[g + 1] - start);
  }
}

/** Rows [first, end) of d_w. */
static void pack_left(const gradient_factors *f, int64_t first, int64_t end) {
  int64_t blocks = heed_in_blocks(end - first) / HEED_BLOCK;
#pragma omp for schedule(static)
  for (int64_t item = 0; item < blocks * f->slices; item++) {
    int64_t b = item / f->slices, g = item % f->slices, start = f->starts[g], row = first + b * HEED_BLOCK;
    heed_pack_left(f->left + (b * f->deep + place_of(f, g)) * HEED_BLOCK, f->d_y + start * f->outputs + row, f->outputs, 0,
                   heed_at_most(HEED_BLOCK, end - row), f->starts[g + 1] - start);
  }
}

/** Rows of d_w, at most HEED_ABREAST_BLOCKS blocks, by some panels: the products of the slices, summed along the tree, written once. */
static void gradient_blocks(float *d_w, const gradient_factors *f, const heed_element *left, const heed_element *right, int64_t rows,
                            int64_t columns, float *scratch) {
  const int64_t panels = heed_in_panels(columns) / HEED_PANEL, size = panels * HEED_BLOCK * HEED_PANEL;
  const int64_t blocks = heed_in_blocks(rows) / HEED_BLOCK, stack = heed_tree_room(f->slices) * size;
  int64_t depth = 0, place = 0;
  for (int64_t g = 0; g < f->slices; g++) {
    int64_t length = f->starts[g + 1] - f->starts[g], most = heed_deep(length), deep = 0, top = depth;
    do
      for (int64_t b = 0; b < blocks; b++) {
        heed_left a = heed_left_packed(left + (b * f->deep + place) * HEED_BLOCK, length);
        heed_block_products(heed_tree_top(scratch + b * stack, top, size), &a, 0, heed_at_most(HEED_BLOCK, rows - b * HEED_BLOCK),
                            right + place * HEED_PANEL, f->deep * HEED_PANEL, panels, deep, heed_at_most(most, length - deep));
      }
    while ((deep += most) < length);
    for (int64_t b = 0; b < blocks; b++)
      depth = heed_tree_push(scratch + b * stack, top, size, g);
    place += heed_in_steps(length);
  }
  for (int64_t b = 0; b < blocks; b++)
    heed_tree_finish(scratch + b * stack, depth, size);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t p = 0; p < panels; p++)
      heed_tree_write(d_w + r * f->inputs + p * HEED_PANEL,
                      scratch + r / HEED_BLOCK * stack + (p * HEED_BLOCK + r % HEED_BLOCK) * HEED_PANEL,
                      heed_at_most(HEED_PANEL, columns - p * HEED_PANEL));
}

/** Rows [first, end) of d_w: groups of rows, as many as HEED_LINEAR_LEFT allows, by the panels that go abreast. */
static void gradient_rows(float *d_w, const gradient_factors *f, int64_t first, int64_t end, float *scratch) {
  enum { COLUMNS = HEED_ABREAST * HEED_PANEL, ROWS = HEED_ABREAST_BLOCKS * HEED_BLOCK };
  int64_t blocks = heed_in_blocks(end - first) / HEED_BLOCK, column_groups = (f->inputs + COLUMNS - 1) / COLUMNS;
  int64_t share = blocks * column_groups / (HEED_LINEAR_SHARES * omp_get_num_threads());
  int64_t most = heed_at_least(HEED_ABREAST_BLOCKS, HEED_LINEAR_LEFT / (HEED_BLOCK * heed_at_least(1, f->deep)));
  int64_t rows = heed_at_least(1, heed_at_most(share, most)) * HEED_BLOCK, row_groups = (end - first + rows - 1) / rows;
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < row_groups * column_groups; item++) {
    int64_t begin = first + item / column_groups * rows, column = item % column_groups * COLUMNS, stop = heed_at_most(end, begin + rows);
    for (int64_t row = begin; row < stop; row += ROWS)
      gradient_blocks(d_w + row * f->inputs + column, f, f->left + (row - first) * f->deep, f->right + column * f->deep,
                      heed_at_most(ROWS, stop - row), heed_at_most(COLUMNS, f->inputs - column), scratch);
  }
}

void HEED_KERNEL(linear_backward_weight)(float *d_w, float *d_bias, const void *d_y, const void *x, const int64_t *starts, int64_t slices,
                                         int64_t inputs, int64_t outputs, void *workspace, float *scratch) {
  gradient_factors f = {.d_y = d_y, .x = x, .starts = starts, .slices = slices, .inputs = inputs, .outputs = outputs};
  f.deep = place_of(&f, slices);
  f.right = workspace;
  f.left = f.right + heed_in_panels(inputs) * f.deep;
  if (d_bias) /* first: it works where the factors are laid out then */
    heed_column_sums(d_bias, d_y, starts, slices, outputs, workspace, scratch);
  heed_blocks_begin();
  pack_right(&f);
  for (int64_t first = 0; first < outputs; first += HEED_LINEAR_BAND) {
    int64_t end = heed_at_most(outputs, first + HEED_LINEAR_BAND);
    pack_left(&f, first, end);
    gradient_rows(d_w, &f, first, end, scratch);
  }
  heed_blocks_end();
}
