/** A linear map and all that its kernels take, for elements of either kind. */
#ifndef HEED_TESTS_KERNELS_LINEAR_FIXTURE_H
#define HEED_TESTS_KERNELS_LINEAR_FIXTURE_H

#include "kernels/kernel_test.h"

typedef struct problem {
  int64_t *starts, slices, rows, inputs, outputs;
  void *panels, *panels_back;            /* of w; NULL: packed at the call */
  float *x, *w, *bias, *d_y, *slopes_at; /* values that elements can have, the bias apart; slopes_at: [rows, inputs] */
  const void *x_elements, *d_y_elements, *slopes_elements;
  void *y, *slopes, *d_x; /* results: y and d_x hold floats or elements */
  float *d_w, *d_bias;
  void *workspace;
  bool wide, add;
  heed_form form;
} problem;

enum { MARGIN = 2048 }; /* elements behind the last that nobody may use: NaN */

static inline const void *elements_before_nan(const heed_kernels *kernels, const float *values, int64_t count) {
  void *memory = test_unwritten(kernels, count + MARGIN);
  int mark = test_pool_count;
  memcpy(memory, test_elements(kernels, values, count), (size_t)count * kernels->element_bytes);
  test_release_to(mark);
  return memory;
}

static inline void *nan_floats(int64_t count) {
  return memset(test_floats(count), 0xFF, (size_t)count * sizeof(float));
}

/** Of the rows that starts[slices + 1] names. */
static inline problem make_of(const heed_kernels *kernels, int64_t *starts, int64_t slices, int64_t inputs, int64_t outputs) {
  problem p = {.starts = starts, .slices = slices, .rows = starts[slices], .inputs = inputs, .outputs = outputs, .form = HEED_FORM_GELU};
  int64_t in = p.rows * inputs, out = p.rows * outputs;
  p.x = test_random_values(kernels, in, 1, 1.0);
  p.w = nan_floats(outputs * inputs + MARGIN);
  for (int64_t i = 0; i < outputs * inputs; i++)
    p.w[i] = (float)(0.1 * test_number(2, i));
  test_rounded(kernels, p.w, outputs * inputs);
  p.bias = test_random(outputs, 3, 1.0);
  p.d_y = test_random_values(kernels, out, 4, 1.0);
  p.slopes_at = test_random_values(kernels, in, 5, 2.0);
  p.x_elements = elements_before_nan(kernels, p.x, in);
  p.d_y_elements = elements_before_nan(kernels, p.d_y, out);
  p.slopes_elements = elements_before_nan(kernels, p.slopes_at, in);
  p.y = nan_floats(out); /* what is not written shows */
  p.slopes = nan_floats(out);
  p.d_x = nan_floats(in);
  p.d_w = nan_floats(outputs * inputs + outputs);
  p.d_bias = p.d_w + outputs * inputs;
  p.workspace = nan_floats(kernels->linear_workspace(p.rows, slices, inputs, outputs, true));
  return p;
}

/** One slice of so many rows. */
static inline problem make_rows(const heed_kernels *kernels, int64_t rows, int64_t inputs, int64_t outputs) {
  int64_t *starts = test_memory(2, sizeof *starts);
  starts[1] = rows;
  return make_of(kernels, starts, 1, inputs, outputs);
}

static inline heed_linear_weights weights_of(const problem *p) {
  return (heed_linear_weights){p->w, p->panels, p->panels_back};
}

/** Makes panels of w, rounded, in memory of NaN. */
static inline void pack(const heed_kernels *k, problem *p) {
  void *w = test_unwritten(k, p->outputs * p->inputs);
  k->narrow(w, p->w, p->outputs * p->inputs);
  p->panels = test_unwritten(k, k->linear_panels(p->inputs, p->outputs));
  p->panels_back = test_unwritten(k, k->linear_panels(p->outputs, p->inputs));
  for (int64_t band = 0; band * HEED_WEIGHT_BAND < p->outputs; band++)
    k->linear_pack(p->panels, p->panels_back, w, band, p->inputs, p->outputs);
}

static inline void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->linear_forward(p->y, p->wide, p->x_elements, weights_of(p), p->bias, p->rows, p->inputs, p->outputs, p->workspace, scratch);
}
static inline void activation_forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->linear_activation_forward(p->y, p->wide, p->slopes, p->x_elements, weights_of(p), p->bias, p->form, p->rows, p->inputs, p->outputs,
                               p->workspace, scratch);
}
static inline void backward_input(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->linear_backward_input(p->d_x, p->wide, p->add, p->d_y_elements, weights_of(p), p->rows, p->inputs, p->outputs, p->workspace, scratch);
}
static inline void activation_backward_input(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->linear_activation_backward_input(p->d_x, p->d_y_elements, weights_of(p), p->slopes_elements, p->rows, p->inputs, p->outputs,
                                      p->workspace, scratch);
}
static inline void backward_weight(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->linear_backward_weight(p->d_w, p->d_bias, p->d_y_elements, p->x_elements, p->starts, p->slices, p->inputs, p->outputs, p->workspace,
                            scratch);
}
static inline void slices_weight(const heed_kernels *k, const void *data, float *scratch) {
  const test_slices *s = data;
  const problem *p = s->data;
  k->linear_backward_weight(s->gradient, s->gradient + p->outputs * p->inputs, p->d_y_elements, p->x_elements, p->starts + s->first,
                            s->slices, p->inputs, p->outputs, p->workspace, scratch);
}

#endif
