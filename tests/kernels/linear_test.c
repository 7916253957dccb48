/* Linear layers against the double twin; slices, threads and rows leave no trace in the bits. */
#include "kernels/kernel_test.h"
#include "reference/gradient_check.h"
#include "reference/linear.h"

/* Sizes that leave remainders in every grid, and rows beyond one tile. */
enum { SLICES = 12, INPUTS = 147, OUTPUTS = 301, ABOUT = 61 };

typedef struct problem {
  int64_t *starts, slices, rows;
  float *x, *w, *bias, *d_y;
  float *y, *d_x, *d_w, *d_bias; /* results */
  bool add;
} problem;

static problem make(int64_t slices, int64_t about) {
  problem p = {.starts = test_starts(slices, about), .slices = slices};
  p.rows = p.starts[slices];
  p.x = test_random(p.rows * INPUTS, 1, 1.0);
  p.w = test_random(OUTPUTS * INPUTS, 2, 0.1);
  p.bias = test_random(OUTPUTS, 3, 1.0);
  p.d_y = test_random(p.rows * OUTPUTS, 4, 1.0);
  p.y = test_floats(p.rows * OUTPUTS);
  p.d_x = test_floats(p.rows * INPUTS);
  p.d_w = test_floats(OUTPUTS * INPUTS + OUTPUTS);
  p.d_bias = p.d_w + OUTPUTS * INPUTS;
  return p;
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->linear_forward(p->y, p->x, p->w, p->bias, p->starts, p->slices, INPUTS, OUTPUTS);
}
static void backward_input(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->linear_backward_input(p->d_x, p->d_y, p->w, p->starts, p->slices, INPUTS, OUTPUTS, p->add);
}
static void backward_weight(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->linear_backward_weight(p->d_w, p->d_bias, p->d_y, p->x, p->starts, p->slices, INPUTS, OUTPUTS, scratch);
}
static void slices_weight(const heed_kernels *k, const void *data, float *scratch) {
  const test_slices *s = data;
  const problem *p = s->data;
  k->linear_backward_weight(s->gradient, s->gradient + OUTPUTS * INPUTS, p->d_y, p->x, p->starts + s->first, s->slices, INPUTS, OUTPUTS,
                            scratch);
}

static void check_twin(const heed_kernels *kernels) {
  problem p = make(SLICES, ABOUT);
  double *x = test_widen(p.x, p.rows * INPUTS), *w = test_widen(p.w, OUTPUTS * INPUTS), *bias = test_widen(p.bias, OUTPUTS);
  double *d_y = test_widen(p.d_y, p.rows * OUTPUTS), *y = test_doubles(p.rows * OUTPUTS), *d_x = test_doubles(p.rows * INPUTS);
  double *d_w = test_doubles(OUTPUTS * INPUTS), *d_bias = test_doubles(OUTPUTS);
  reference_linear_forward(y, x, w, bias, p.rows, INPUTS, OUTPUTS);
  reference_linear_backward(d_x, d_w, d_bias, d_y, x, w, p.rows, INPUTS, OUTPUTS);

  for (int64_t i = 0; i < p.rows * OUTPUTS; i++)
    p.y[i] = NAN; /* written, not added to */
  test_run(kernels, 2, forward, &p);
  CU_ASSERT(test_error(p.y, y, p.rows * OUTPUTS) < 1e-6);
  p.bias = NULL;
  test_run(kernels, 2, forward, &p);
  for (int64_t i = 0; i < p.rows * OUTPUTS; i++)
    y[i] -= bias[i % OUTPUTS];
  CU_ASSERT(test_error(p.y, y, p.rows * OUTPUTS) < 1e-6);

  for (int64_t i = 0; i < p.rows * INPUTS; i++)
    p.d_x[i] = NAN;
  test_run(kernels, 2, backward_input, &p);
  CU_ASSERT(test_error(p.d_x, d_x, p.rows * INPUTS) < 1e-6);
  test_run(kernels, 2, backward_weight, &p);
  CU_ASSERT(test_error(p.d_w, d_w, OUTPUTS * INPUTS) < 1e-6);
  CU_ASSERT(test_error(p.d_bias, d_bias, OUTPUTS) < 1e-6);
}

/* Gradients are added to what is there: the second call doubles them; d_x is added to when asked. */
static void check_adding(const heed_kernels *kernels) {
  problem p = make(3, ABOUT);
  test_run(kernels, 2, backward_weight, &p);
  test_run(kernels, 2, backward_input, &p);
  double *twice = test_widen(p.d_w, OUTPUTS * INPUTS + OUTPUTS), *d_x = test_widen(p.d_x, p.rows * INPUTS);
  for (int64_t i = 0; i < OUTPUTS * INPUTS + OUTPUTS; i++)
    twice[i] *= 2.0;
  for (int64_t i = 0; i < p.rows * INPUTS; i++)
    d_x[i] *= 2.0;
  p.add = true;
  test_run(kernels, 2, backward_weight, &p);
  test_run(kernels, 2, backward_input, &p);
  CU_ASSERT(test_error(p.d_w, twice, OUTPUTS * INPUTS + OUTPUTS) < 1e-7);
  CU_ASSERT(test_error(p.d_x, d_x, p.rows * INPUTS) < 1e-6);
  float *d_w = test_random(OUTPUTS * INPUTS, 8, 1.0), *bias = p.d_bias;
  memcpy(p.d_w, d_w, OUTPUTS * INPUTS * sizeof *d_w);
  p.d_bias = NULL;
  test_run(kernels, 2, backward_weight, &p);
  for (int64_t i = 0; i < OUTPUTS * INPUTS; i++)
    twice[i] = twice[i] / 2.0 + (double)d_w[i];
  CU_ASSERT(test_error(p.d_w, twice, OUTPUTS * INPUTS) < 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(bias[0], twice[OUTPUTS * INPUTS], 1e-4);
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make(SLICES, ABOUT);
  CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.y, p.rows * OUTPUTS));
  CU_ASSERT(test_same_on_threads(kernels, backward_input, &p, p.d_x, p.rows * INPUTS));
  CU_ASSERT(test_same_on_threads(kernels, backward_weight, &p, p.d_w, OUTPUTS * INPUTS + OUTPUTS));
  for (int64_t slices = 2; slices <= SLICES; slices++)
    CU_ASSERT(test_same_in_groups(kernels, slices_weight, &p, slices, OUTPUTS * INPUTS + OUTPUTS));
}

/* A slice alone gives its rows the bits that they have among others. */
static void check_slice_alone(const heed_kernels *kernels) {
  problem p = make(4, 400);
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, backward_input, &p);
  for (int64_t g = 0; g < p.slices; g++) {
    int64_t first = p.starts[g], rows = p.starts[g + 1] - first, own[2] = {0, rows};
    problem alone = p;
    alone.starts = own;
    alone.slices = 1;
    alone.x = p.x + first * INPUTS;
    alone.d_y = p.d_y + first * OUTPUTS;
    alone.y = test_floats(rows * OUTPUTS);
    alone.d_x = test_floats(rows * INPUTS);
    test_run(kernels, 2, forward, &alone);
    test_run(kernels, 2, backward_input, &alone);
    CU_ASSERT(memcmp(alone.y, p.y + first * OUTPUTS, (size_t)(rows * OUTPUTS) * sizeof(float)) == 0);
    CU_ASSERT(memcmp(alone.d_x, p.d_x + first * INPUTS, (size_t)(rows * INPUTS) * sizeof(float)) == 0);
  }
}

/* Products from four threads at once, again and again: OpenBLAS's serial build once shared work buffers between threads (base/blas.c). */
static void check_hammer(const heed_kernels *kernels) {
  problem p = make(SLICES, ABOUT);
  test_run(kernels, 1, forward, &p);
  test_run(kernels, 1, backward_input, &p);
  test_run(kernels, 1, backward_weight, &p);
  problem again = p;
  again.y = test_floats(p.rows * OUTPUTS);
  again.d_x = test_floats(p.rows * INPUTS);
  again.d_w = test_floats(OUTPUTS * INPUTS + OUTPUTS);
  again.d_bias = again.d_w + OUTPUTS * INPUTS;
  int differ = 0;
  for (int round = 0; round < 30; round++) {
    memset(again.d_w, 0, (OUTPUTS * INPUTS + OUTPUTS) * sizeof *again.d_w);
    test_run(kernels, 4, forward, &again);
    test_run(kernels, 4, backward_input, &again);
    test_run(kernels, 4, backward_weight, &again);
    differ += memcmp(again.y, p.y, (size_t)(p.rows * OUTPUTS) * sizeof(float)) != 0;
    differ += memcmp(again.d_x, p.d_x, (size_t)(p.rows * INPUTS) * sizeof(float)) != 0;
    differ += memcmp(again.d_w, p.d_w, (OUTPUTS * INPUTS + OUTPUTS) * sizeof(float)) != 0;
  }
  CU_ASSERT_EQUAL(differ, 0);
}

static void twin(void) {
  test_each_level(check_twin);
}
static void adding(void) {
  test_each_level(check_adding);
}
static void bits(void) {
  test_each_level(check_bits);
}
static void slice_alone(void) {
  test_each_level(check_slice_alone);
}
static void hammer(void) {
  test_each_level(check_hammer);
}

HEED_TESTS({"results are those of the double twin", twin}, {"gradients are added to what is there", adding},
           {"bits do not depend on threads nor on groups of slices", bits}, {"a slice alone has the same bits", slice_alone},
           {"products from four threads at once are right", hammer})
