/* Linear layers: products of blocks and panels (block.h), and what becomes of each block while it is in a near cache.
 *
 *     forward     y = x·Wᵀ + b,  or that with what ends a sublayer (residual.c),
 *                 or  y = act(x·Wᵀ + b) and slopes = act′(x·Wᵀ + b), from which both come at little more than one's cost
 *     backward    dx = dy·W,     or  dx = (dy·W)·slopes;   those of W and b: linear_backward_weight.c
 *
 * Weights come in panels, or as floats that are packed at the call, shared in the workspace, or by the thread that uses them when rows are
 * few.  An element of a product is one sum over depth (over each 4,096 of it, where there is more), however the work is cut: the cuts may
 * follow the caches and the number of threads. */
#include <omp.h>

#include "kernels/activation.h"
#include "kernels/block.h"
#include "kernels/column_sums.h"
#include "kernels/few_rows.h"
#include "kernels/linear.h"
#include "kernels/residual_rows.h"
#include "kernels/tree.h"

enum {
  RIGHT = 4194304, /* of packed weights at a time */
  DEPTH = 4096,    /* at a time */
  FEW = 64         /* rows that are not worth sharing packed weights for */
};

/* ---- what becomes of a block ---- */

/** y = bias + product, or act(bias + product), or product · slopes; floats when `wide`, added when `add`. */
typedef struct outcome {
  void *y;
  bool wide, add, activates;
  const float *bias;
  heed_element *kept;         /* forward: where act′(bias + product) goes, or NULL */
  const heed_element *slopes; /* backward: what was kept, or NULL */
  heed_form form;
  const heed_residual *residual; /* what ends rows, each of them made whole by one thread; or NULL */
  int64_t stride;
} outcome;

/* `columns` is a constant where a panel is full: a row is a few registers then. */

static inline __attribute__((always_inline)) void add_bias(float *c, const float *bias, int64_t rows, const int64_t columns) {
  for (int64_t r = 0; r < rows; r++)
#pragma omp simd
    for (int64_t i = 0; i < columns; i++)
      c[r * HEED_PANEL + i] += bias[i];
}

static inline __attribute__((always_inline)) void multiply_slopes(float *c, const heed_element *slopes, int64_t stride, int64_t rows,
                                                                  const int64_t columns) {
  for (int64_t r = 0; r < rows; r++)
#pragma omp simd
    for (int64_t i = 0; i < columns; i++)
      c[r * HEED_PANEL + i] *= heed_value_of(slopes[r * stride + i]);
}

static inline __attribute__((always_inline)) void store_elements(heed_element *y, const float *c, int64_t stride, int64_t rows,
                                                                 const int64_t columns) {
  for (int64_t r = 0; r < rows; r++)
    heed_elements(y + r * stride, c + r * HEED_PANEL, columns);
}

static inline __attribute__((always_inline)) void store_floats(float *y, const float *c, bool add, int64_t stride, int64_t rows,
                                                               const int64_t columns) {
  for (int64_t r = 0; r < rows; r++, y += stride, c += HEED_PANEL) {
    if (add) {
#pragma omp simd
      for (int64_t i = 0; i < columns; i++)
        y[i] += c[i];
    } else {
#pragma omp simd
      for (int64_t i = 0; i < columns; i++)
        y[i] = c[i];
    }
  }
}

/** The activation of whole rows of the block, whatever its last columns hold. */
static inline __attribute__((always_inline)) void activate(float *c, const outcome *o, int64_t at, int64_t rows, const int64_t columns) {
  float slopes[HEED_BLOCK * HEED_PANEL] __attribute__((aligned(64)));
  if (!o->kept) {
    HEED_KERNEL(activation_values)(c, c, rows * HEED_PANEL, o->form);
    return;
  }
  HEED_KERNEL(activation_both)(c, slopes, c, rows * HEED_PANEL, o->form);
  store_elements(o->kept + at, slopes, o->stride, rows, columns);
}

static inline __attribute__((always_inline)) void finish_columns(float *c, const outcome *o, int64_t row, int64_t rows, int64_t column,
                                                                 const int64_t columns) {
  int64_t at = row * o->stride + column;
  if (o->bias)
    add_bias(c, o->bias + column, rows, columns);
  if (o->activates)
    activate(c, o, at, rows, columns);
  if (o->slopes)
    multiply_slopes(c, o->slopes + at, o->stride, rows, columns);
  if (o->wide)
    store_floats((float *)o->y + at, c, o->add, o->stride, rows, columns);
  else
    store_elements((heed_element *)o->y + at, c, o->stride, rows, columns);
}

static void finish(float *c, const outcome *o, int64_t row, int64_t rows, int64_t column, int64_t columns) {
  if (columns == HEED_PANEL)
    finish_columns(c, o, row, rows, column, HEED_PANEL);
  else
    finish_columns(c, o, row, rows, column, columns);
}

/* ---- rows · weights ---- */

/** x[rows, depth] · the weights' columns: w turned (forward: columns are w's rows) or as it lies. */
typedef struct factors {
  const heed_element *x;
  const float *w;
  const heed_element *panels;   /* of the whole depth; NULL: w is packed */
  int64_t rows, columns, depth; /* of the whole product */
  bool turned;
} factors;

/** Packs the panel of columns [column, column + 32) at depths [deep, deep + depth). */
static void pack(heed_element *panel, const factors *f, int64_t column, int64_t deep, int64_t depth) {
  int64_t columns = heed_at_most(HEED_PANEL, f->columns - column);
  if (f->turned)
    heed_pack_weights_turned(panel, f->w + column * f->depth + deep, f->depth, columns, depth);
  else
    heed_pack_weights(panel, f->w + deep * f->columns + column, f->columns, columns, depth);
}

/** The panel of columns from `column` on at depths from `deep` on, where there are such. */
static const heed_element *given_panel(const factors *f, int64_t column, int64_t deep) {
  return f->panels + column / HEED_PANEL * heed_panel_room(f->depth) + deep * HEED_PANEL;
}

/** Rows of `left`, which begins at row `first` of the product, by `panels` panels, `apart` elements from one to the next. */
static void multiply(const heed_left *left, const factors *f, const outcome *o, int64_t first, int64_t rows, int64_t column,
                     const heed_element *panel, int64_t apart, int64_t panels, int64_t depth) {
  enum { ROWS = HEED_ABREAST_BLOCKS * HEED_BLOCK };
  float c[HEED_ABREAST_BLOCKS][HEED_ABREAST][HEED_BLOCK * HEED_PANEL] __attribute__((aligned(64)));
  const int64_t most = heed_deep(depth);
  for (int64_t group = 0; group < rows; group += ROWS) {
    int64_t end = heed_at_most(rows, group + ROWS);
    for (int64_t deep = 0; deep < depth; deep += most)
      for (int64_t r = group; r < end; r += HEED_BLOCK)
        heed_block_products(c[(r - group) / HEED_BLOCK][0], left, r, heed_at_most(HEED_BLOCK, end - r), panel, apart, panels, deep,
                            heed_at_most(most, depth - deep));
    for (int64_t r = group; r < end; r += HEED_BLOCK)
      for (int64_t p = 0, at = column; p < panels; p++, at += HEED_PANEL)
        finish(c[(r - group) / HEED_BLOCK][p], o, first + r, heed_at_most(HEED_BLOCK, end - r), at,
               heed_at_most(HEED_PANEL, f->columns - at));
  }
}

/** Few rows: a thread takes all of them through a panel, which it packs if need be. */
static void multiply_few(const factors *f, const outcome *o, int64_t deep, int64_t depth, heed_element *scratch) {
  heed_element *panel = scratch; /* first: panels are whole cache lines, rows of an odd depth are not */
  heed_left left = heed_left_rows(scratch + heed_panel_room(depth), f->x + deep, f->depth, f->rows, depth);
#pragma omp for schedule(dynamic, 4)
  for (int64_t column = 0; column < f->columns; column += HEED_PANEL) {
    if (!f->panels)
      pack(panel, f, column, deep, depth);
    multiply(&left, f, o, 0, f->rows, column, f->panels ? given_panel(f, column, deep) : panel, 0, 1, depth);
  }
}

#ifndef HEED_ELEMENT_BF16
/** Fewer still: by weights where they lie. */
static void multiply_fewest(const factors *f, const outcome *o, int64_t deep, int64_t depth) {
  float c[HEED_FEWEST * HEED_PANEL] __attribute__((aligned(64)));
#pragma omp for schedule(dynamic, 4)
  for (int64_t column = 0; column < f->columns; column += HEED_PANEL) {
    int64_t columns = heed_at_most(HEED_PANEL, f->columns - column);
    heed_few_rows(c, f->x + deep, f->depth, f->rows, f->w + column * f->depth + deep, f->depth, columns, depth);
    finish(c, o, 0, f->rows, column, columns);
  }
}
#endif

/** A product of at most FEW rows. */
static void multiply_rows(const factors *f, const outcome *o, int64_t deep, int64_t depth, heed_element *scratch) {
#ifndef HEED_ELEMENT_BF16
  if (f->turned && f->rows <= HEED_FEWEST) {
    multiply_fewest(f, o, deep, depth);
    return;
  }
#endif
  multiply_few(f, o, deep, depth, scratch);
}

/** Rows of a share, if each thread is to take whole rows. */
static int64_t whole_rows(const factors *f) {
  int64_t shares = HEED_LINEAR_SHARES * omp_get_num_threads();
  return heed_in_blocks((f->rows + shares - 1) / shares);
}

/** Columns [first, end): packed by all if need be, then shared out in groups of rows that stay in the second cache, by groups of columns;
 *  where rows are to be ended, all columns of a row by one thread. */
static void multiply_many(const factors *f, const outcome *o, int64_t first, int64_t end, int64_t deep, int64_t depth,
                          heed_element *workspace, heed_element *scratch) {
  int64_t rows = heed_at_least(HEED_ABREAST_BLOCKS * HEED_BLOCK, HEED_LINEAR_LEFT / heed_in_steps(depth) / HEED_BLOCK * HEED_BLOCK);
  int64_t room = heed_panel_room(depth);
  if (o->residual)
    rows = heed_at_most(rows, whole_rows(f));
  int64_t row_groups = (f->rows + rows - 1) / rows, panels = (end - first + HEED_PANEL - 1) / HEED_PANEL;
  int64_t column_groups =
      o->residual ? 1 : heed_at_most(panels, (HEED_LINEAR_SHARES * omp_get_num_threads() + row_groups - 1) / row_groups);
  const heed_element *panel = f->panels ? given_panel(f, first, deep) : workspace;
  int64_t apart = f->panels ? heed_panel_room(f->depth) : room;
  if (!f->panels) {
#pragma omp for schedule(static)
    for (int64_t p = 0; p < panels; p++)
      pack(workspace + p * room, f, first + p * HEED_PANEL, deep, depth);
  }
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < row_groups * column_groups; item++) {
    int64_t row = item / column_groups * rows, group = item % column_groups, count = heed_at_most(rows, f->rows - row);
    heed_left left = heed_left_rows(scratch, f->x + row * f->depth + deep, f->depth, count, depth);
    int64_t stop = panels * (group + 1) / column_groups;
    for (int64_t p = panels * group / column_groups; p < stop; p += HEED_ABREAST)
      multiply(&left, f, o, row, count, first + p * HEED_PANEL, panel + p * apart, apart, heed_at_most(HEED_ABREAST, stop - p), depth);
    for (int64_t t = row; o->residual && t < row + count; t++)
      heed_residual_row(o->residual, t, f->columns);
  }
}

/** Floats can be added to, unless they are an activation's: there depth is taken DEPTH at a time. */
static void product(const factors *f, outcome o, void *workspace, float *scratch) {
  int64_t most = o.wide && !o.activates ? DEPTH : heed_at_least(DEPTH, f->depth);
  bool whole = o.residual && f->rows > FEW && f->depth <= most && f->columns <= RIGHT / heed_panel_room(f->depth) * HEED_PANEL &&
               whole_rows(f) >= FEW;
  const heed_residual *afterwards = whole ? NULL : o.residual;
  if (!whole)
    o.residual = NULL;
  heed_blocks_begin();
  for (int64_t deep = 0; deep < f->depth; deep += most) {
    int64_t depth = heed_at_most(most, f->depth - deep);
    int64_t band = heed_at_least(1, RIGHT / heed_panel_room(depth)) * HEED_PANEL;
    for (int64_t column = 0; f->rows > FEW && column < f->columns; column += band)
      multiply_many(f, &o, column, heed_at_most(f->columns, column + band), deep, depth, workspace, (heed_element *)scratch);
    if (f->rows <= FEW)
      multiply_rows(f, &o, deep, depth, (heed_element *)scratch);
    o.add = true;
    o.bias = NULL;
  }
  heed_blocks_end();
  if (afterwards)
    HEED_KERNEL(residual_forward)(afterwards, f->rows, f->columns);
}

void HEED_KERNEL(linear_forward)(void *y, bool wide, const void *x, heed_linear_weights w, const float *bias, int64_t rows, int64_t inputs,
                                 int64_t outputs, void *workspace, float *scratch) {
  product(&(factors){x, w.w, w.forward, rows, outputs, inputs, true}, (outcome){.y = y, .wide = wide, .bias = bias, .stride = outputs},
          workspace, scratch);
}

void HEED_KERNEL(linear_activation_forward)(void *after, bool wide, void *slopes, const void *x, heed_linear_weights w, const float *bias,
                                            heed_form form, int64_t rows, int64_t inputs, int64_t outputs, void *workspace,
                                            float *scratch) {
  outcome o = {.y = after, .wide = wide, .kept = slopes, .bias = bias, .activates = true, .form = form, .stride = outputs};
  product(&(factors){x, w.w, w.forward, rows, outputs, inputs, true}, o, workspace, scratch);
}

void HEED_KERNEL(linear_residual_forward)(const heed_residual *r, const void *x, heed_linear_weights w, const float *bias, int64_t rows,
                                          int64_t inputs, int64_t outputs, void *workspace, float *scratch) {
  outcome o = {.y = r->sum, .wide = true, .bias = bias, .residual = r, .stride = outputs};
  product(&(factors){x, w.w, w.forward, rows, outputs, inputs, true}, o, workspace, scratch);
}

void HEED_KERNEL(linear_backward_input)(void *d_x, bool wide, bool add, const void *d_y, heed_linear_weights w, int64_t rows,
                                        int64_t inputs, int64_t outputs, void *workspace, float *scratch) {
  product(&(factors){d_y, w.w, w.backward, rows, inputs, outputs, false}, (outcome){.y = d_x, .wide = wide, .add = add, .stride = inputs},
          workspace, scratch);
}

void HEED_KERNEL(linear_activation_backward_input)(void *d_before, const void *d_y, heed_linear_weights w, const void *slopes, int64_t rows,
                                                   int64_t inputs, int64_t outputs, void *workspace, float *scratch) {
  outcome o = {.y = d_before, .slopes = slopes, .stride = inputs};
  product(&(factors){d_y, w.w, w.backward, rows, inputs, outputs, false}, o, workspace, scratch);
}

/* ---- panels that are kept ---- */

int64_t HEED_KERNEL(linear_panels)(int64_t depth, int64_t columns) {
#ifdef HEED_ELEMENT_BF16
  _Static_assert((int)HEED_WEIGHT_BAND == HEED_PANEL && (int)HEED_WEIGHT_BAND == HEED_STEP, "a band is a panel, and a step in depth");
  return heed_in_panels(columns) * heed_in_steps(depth);
#else
  (void)depth, (void)columns;
  return 0;
#endif
}

/** A band is one panel of forward's, and one step in depth of each of backward's. */
void HEED_KERNEL(linear_pack)(void *forward, void *backward, const void *w, int64_t band, int64_t inputs, int64_t outputs) {
  int64_t row = band * HEED_WEIGHT_BAND, rows = heed_at_most(HEED_WEIGHT_BAND, outputs - row), room = heed_panel_room(outputs);
  const heed_element *from = (const heed_element *)w + row * inputs;
  heed_pack_panel_turned((heed_element *)forward + band * heed_panel_room(inputs), from, inputs, rows, inputs);
  for (int64_t p = 0; p * HEED_PANEL < inputs; p++)
    heed_pack_panel((heed_element *)backward + p * room + row * HEED_PANEL, from + p * HEED_PANEL, inputs,
                    heed_at_most(HEED_PANEL, inputs - p * HEED_PANEL), rows);
}

/* ---- memory ---- */

static int64_t floats_of(int64_t elements) {
  return heed_in_lanes(elements * (int64_t)sizeof(heed_element) / (int64_t)sizeof(float) + 1);
}

int64_t HEED_KERNEL(linear_scratch)(int64_t slices, int64_t width) {
  const bool in_place = heed_rows_room(1, 1) == 0; /* left factors of a product are read where they lie */
  int64_t depth = heed_at_least(DEPTH, width),
          many = in_place ? 0 : heed_at_least(HEED_LINEAR_LEFT, heed_rows_room(HEED_ABREAST_BLOCKS * HEED_BLOCK, depth));
  int64_t few = heed_rows_room(FEW, depth) + heed_panel_room(depth),
          sums = HEED_ABREAST_BLOCKS * HEED_ABREAST * HEED_BLOCK * HEED_PANEL * heed_tree_room(slices);
  return heed_at_least(floats_of(heed_at_least(many, few)), heed_at_least(sums, heed_column_sums_scratch(slices)));
}

/** Elements of the weights that are packed at a time, of a product of that depth. */
static int64_t packed_weights(int64_t depth, int64_t columns) {
  int64_t panel = heed_panel_room(depth);
  return heed_at_most(heed_at_least(RIGHT, panel), heed_in_panels(columns) / HEED_PANEL * panel);
}

int64_t HEED_KERNEL(linear_workspace)(int64_t rows, int64_t slices, int64_t inputs, int64_t outputs, bool backward) {
  int64_t weights = heed_at_least(packed_weights(inputs, outputs), backward ? packed_weights(outputs, inputs) : 0);
  int64_t packed = (rows + slices * HEED_STEP) * (heed_in_panels(inputs) + heed_in_blocks(heed_at_most(HEED_LINEAR_BAND, outputs)));
  int64_t floats = floats_of(heed_at_least(rows > FEW ? weights : 0, backward ? packed : 0));
  return heed_at_least(floats, backward ? heed_row_blocks_room(rows, slices) * outputs : 0);
}
