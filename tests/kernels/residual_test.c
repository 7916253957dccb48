/* The end of a sublayer with a norm against double twins, and against the kernels that do one thing each, bit by bit. */
#include "kernels/kernel_test.h"
#include "reference/dropout.h"
#include "reference/layer_norm.h"

enum { SEQUENCES = 7, ABOUT = 40, WIDTH = 83 };
static const float epsilon = 1e-5f;

typedef struct problem {
  int64_t *starts, *offsets, slices, rows, width;
  int32_t *sequence_of;
  float *x, *residual, *gamma, *beta, *d_y, *workspace;
  float *y, *sum, *mean, *rstd, *d_residual, *d_gamma, *d_beta; /* results */
  void *elements, *d_x;
  heed_dropout dropout;
} problem;

/* Sequences do not end where slices or blocks of rows do. */
static problem make(const heed_kernels *kernels, int64_t slices, int64_t width, double rate) {
  uint32_t threshold = (uint32_t)(rate * 65536.0 + 0.5);
  problem p = {.starts = test_starts(slices, ABOUT), .slices = slices, .width = width};
  p.dropout = (heed_dropout){threshold, (float)(65536.0 / (65536.0 - threshold)), 9, 100, 5, 17};
  p.rows = p.starts[slices];
  int64_t count = p.rows * width;
  p.offsets = test_memory(SEQUENCES + 1, sizeof *p.offsets);
  p.sequence_of = test_memory(p.rows, sizeof *p.sequence_of);
  for (int32_t b = 0; b < SEQUENCES; b++) {
    p.offsets[b + 1] = p.rows * (b + 1) / SEQUENCES;
    for (int64_t t = p.offsets[b]; t < p.offsets[b + 1]; t++)
      p.sequence_of[t] = b;
  }
  p.x = test_random(count, 1, 2.0);
  p.residual = test_random(count, 5, 2.0);
  p.gamma = test_random(width, 2, 1.0);
  p.beta = test_random(width, 3, 1.0);
  p.d_y = test_random(count, 4, 1.0);
  p.workspace = test_floats(kernels->layer_norm_workspace(p.rows, slices, width));
  p.y = test_floats(count);
  p.sum = test_floats(count);
  p.mean = test_floats(p.rows);
  p.rstd = test_floats(p.rows);
  p.d_residual = test_floats(count);
  p.d_gamma = test_floats(2 * width);
  p.d_beta = p.d_gamma + width;
  p.elements = test_unwritten(kernels, count);
  p.d_x = test_unwritten(kernels, count);
  return p;
}

/** The body's output, x, to where it becomes the sum. */
static heed_residual begin(const problem *p) {
#pragma omp for
  for (int64_t i = 0; i < p->rows * p->width; i++)
    p->sum[i] = p->x[i];
  return (heed_residual){.sum = p->sum,
                         .residual = p->residual,
                         .sequence_of = p->sequence_of,
                         .offsets = p->offsets,
                         .dropout = p->dropout,
                         .gamma = p->gamma,
                         .beta = p->beta,
                         .epsilon = epsilon,
                         .y = p->y,
                         .mean = p->mean,
                         .rstd = p->rstd,
                         .elements = p->elements};
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  heed_residual r = begin(p);
  k->residual_forward(&r, p->rows, p->width);
}
static void forward_apart(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  heed_residual r = begin(p);
  r.gamma = NULL;
  k->residual_forward(&r, p->rows, p->width);
  k->layer_norm_forward(p->y, p->elements, p->mean, p->rstd, p->sum, p->gamma, p->beta, p->rows, p->width, epsilon);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->residual_norm_backward(p->d_residual, p->d_x, p->d_gamma, p->d_beta, p->d_y, p->sum, p->mean, p->rstd, p->gamma, p->sequence_of,
                            p->offsets, p->starts, p->slices, p->width, &p->dropout, p->workspace, scratch);
}
static void backward_apart(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->layer_norm_backward(p->d_residual, false, p->d_gamma, p->d_beta, p->d_y, p->sum, p->mean, p->rstd, p->gamma, p->starts, p->slices,
                         p->width, p->workspace, scratch);
  k->residual_backward(p->d_x, p->d_residual, p->sequence_of, p->offsets, p->rows, p->width, &p->dropout);
}
static void slices_backward(const heed_kernels *k, const void *data, float *scratch) {
  const test_slices *s = data;
  const problem *p = s->data;
  k->residual_norm_backward(p->d_residual, p->d_x, s->gradient, s->gradient + p->width, p->d_y, p->sum, p->mean, p->rstd, p->gamma,
                            p->sequence_of, p->offsets, p->starts + s->first, s->slices, p->width, &p->dropout, p->workspace, scratch);
}

static void check_twin_of(const heed_kernels *kernels, int64_t width, double rate) {
  problem p = make(kernels, 3, width, rate);
  int64_t count = p.rows * width, row_elements = 8 * ((width + 7) / 8);
  double *gamma = test_widen(p.gamma, width), *factor = test_doubles(count), *sum = test_doubles(count), *y = test_doubles(count);
  double *d_sum = test_doubles(count), *d_x = test_doubles(count), *d_gamma = test_doubles(width), *d_beta = test_doubles(width);
  for (int64_t i = 0; i < count; i++) {
    int64_t t = i / width, b = p.sequence_of[t];
    factor[i] = reference_dropout_factor(&p.dropout, b, 0, (t - p.offsets[b]) * row_elements + i % width);
    sum[i] = (double)p.residual[i] + factor[i] * (double)p.x[i];
  }
  reference_layer_norm_forward(y, sum, gamma, test_widen(p.beta, width), p.rows, width, (double)epsilon);
  reference_layer_norm_backward(d_sum, d_gamma, d_beta, test_widen(p.d_y, count), sum, gamma, p.rows, width, (double)epsilon);
  for (int64_t i = 0; i < count; i++)
    d_x[i] = factor[i] * d_sum[i];
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, backward, &p);
  CU_ASSERT(test_error(p.sum, sum, count) < 1e-6);
  CU_ASSERT(test_error(p.y, y, count) < 1e-6);
  CU_ASSERT(test_element_error(kernels, p.elements, y, count) < test_element_bound(kernels, 1e-6));
  CU_ASSERT(test_error(p.d_residual, d_sum, count) < 1e-6);
  CU_ASSERT(test_element_error(kernels, p.d_x, d_x, count) < test_element_bound(kernels, 1e-6));
  CU_ASSERT(test_error(p.d_gamma, d_gamma, width) < 1e-6);
  CU_ASSERT(test_error(p.d_beta, d_beta, width) < 1e-6);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t widths[] = {8, 15, 64, WIDTH, 256, 300};
  for (int i = 0; i < 12; i++) {
    int mark = test_pool_count;
    check_twin_of(kernels, widths[i / 2], i % 2 ? 0.3 : 0.0);
    test_release_to(mark);
  }
}

static bool same(const float *a, const float *b, int64_t count) {
  return memcmp(a, b, (size_t)count * sizeof *a) == 0;
}

/* In place, with and without dropout, β and elements: what the kernels that do one thing each give. */
static void check_apart(const heed_kernels *kernels) {
  for (int which = 0; which < 8; which++) {
    int mark = test_pool_count;
    double rate = which & 1 ? 0.2 : 0.0;
    problem p = make(kernels, 3, WIDTH, rate), q = make(kernels, 3, WIDTH, rate);
    int64_t count = p.rows * WIDTH;
    size_t bytes = (size_t)count * kernels->element_bytes;
    if (which & 2)
      p.beta = q.beta = p.d_beta = q.d_beta = NULL;
    if (which & 4)
      p.elements = q.elements = NULL;
    p.d_residual = p.d_y;
    test_run(kernels, 2, forward, &p);
    test_run(kernels, 2, backward, &p);
    test_run(kernels, 2, forward_apart, &q);
    test_run(kernels, 2, backward_apart, &q);
    CU_ASSERT(same(p.y, q.y, count) && same(p.sum, q.sum, count));
    CU_ASSERT(same(p.mean, q.mean, p.rows) && same(p.rstd, q.rstd, p.rows));
    CU_ASSERT(!p.elements || memcmp(p.elements, q.elements, bytes) == 0);
    CU_ASSERT(same(p.d_residual, q.d_residual, count) && memcmp(p.d_x, q.d_x, bytes) == 0);
    CU_ASSERT(same(p.d_gamma, q.d_gamma, 2 * WIDTH));
    test_release_to(mark);
  }
}

static void check_bits(const heed_kernels *kernels) {
  enum { SLICES = 12 };
  problem p = make(kernels, SLICES, WIDTH, 0.2);
  int64_t count = p.rows * WIDTH;
  CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.y, count));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_residual, count));
  CU_ASSERT(test_same_elements_on_threads(kernels, backward, &p, p.d_x, count));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_gamma, 2 * WIDTH));
  for (int64_t slices = 2; slices <= SLICES; slices++)
    CU_ASSERT(test_same_in_groups(kernels, slices_backward, &p, slices, 2 * WIDTH));
}

static void twin(void) {
  test_each_element(check_twin);
}
static void apart(void) {
  test_each_element(check_apart);
}
static void bits(void) {
  test_each_element(check_bits);
}

HEED_TESTS({"results are those of the double twins", twin}, {"in one pass as in two, bit by bit", apart},
           {"bits do not depend on threads or groups of slices", bits})
