/* Layer normalisation against the double twin, the twin against differences, and what must not change a bit. */
#include "kernels/kernel_test.h"
#include "reference/gradient_check.h"
#include "reference/layer_norm.h"

enum { SLICES = 12, WIDTH = 83, ABOUT = 40, PARAMETERS = 2 * WIDTH };
static const float epsilon = 1e-5f;

typedef struct problem {
  int64_t *starts, slices, rows, width;
  float *x, *gamma, *beta, *d_y, *workspace;
  bool add;                                        /* to d_x */
  float *y, *mean, *rstd, *d_x, *d_gamma, *d_beta; /* results */
  void *elements;                                  /* a result, or NULL */
} problem;

static problem make(const heed_kernels *kernels, int64_t slices, int64_t width) {
  problem p = {.starts = test_starts(slices, ABOUT), .slices = slices, .width = width};
  p.rows = p.starts[slices];
  p.x = test_random(p.rows * width, 1, 2.0);
  p.gamma = test_random(width, 2, 1.0);
  p.beta = test_random(width, 3, 1.0);
  p.d_y = test_random(p.rows * width, 4, 1.0);
  for (int64_t i = 0; i < p.rows * width; i++)
    p.x[i] += 3.0f;
  p.workspace = test_floats(kernels->layer_norm_workspace(p.rows, slices, width));
  p.y = test_floats(p.rows * width);
  p.mean = test_floats(p.rows);
  p.rstd = test_floats(p.rows);
  p.d_x = test_floats(p.rows * width);
  p.d_gamma = test_floats(2 * width);
  p.d_beta = p.d_gamma + width;
  return p;
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->layer_norm_forward(p->y, p->elements, p->mean, p->rstd, p->x, p->gamma, p->beta, p->rows, p->width, epsilon);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->layer_norm_backward(p->d_x, p->add, p->d_gamma, p->d_beta, p->d_y, p->x, p->mean, p->rstd, p->gamma, p->starts, p->slices, p->width,
                         p->workspace, scratch);
}
static void slices_backward(const heed_kernels *k, const void *data, float *scratch) {
  const test_slices *s = data;
  const problem *p = s->data;
  k->layer_norm_backward(p->d_x, false, s->gradient, s->gradient + p->width, p->d_y, p->x, p->mean, p->rstd, p->gamma, p->starts + s->first,
                         s->slices, p->width, p->workspace, scratch);
}

static void check_width(const heed_kernels *kernels, int64_t width) {
  problem p = make(kernels, 3, width);
  int64_t count = p.rows * width;
  double *x = test_widen(p.x, count), *gamma = test_widen(p.gamma, width), *beta = test_widen(p.beta, width),
         *d_y = test_widen(p.d_y, count);
  double *y = test_doubles(count), *d_x = test_doubles(count), *d_gamma = test_doubles(width), *d_beta = test_doubles(width);
  reference_layer_norm_forward(y, x, gamma, beta, p.rows, width, (double)epsilon);
  reference_layer_norm_backward(d_x, d_gamma, d_beta, d_y, x, gamma, p.rows, width, (double)epsilon);
  test_run(kernels, 2, forward, &p);
  CU_ASSERT(test_error(p.y, y, count) < 1e-6);
  float *floats = p.y;
  for (int both = 1; both >= 0; both--) { /* as elements, with the floats and alone: the floats' bits, rounded */
    p.y = both ? test_floats(count) : NULL;
    p.elements = test_unwritten(kernels, count);
    test_run(kernels, 2, forward, &p);
    CU_ASSERT(!both || memcmp(p.y, floats, (size_t)count * sizeof(float)) == 0);
    float *rounded = test_rounded(kernels, memcpy(test_floats(count), floats, (size_t)count * sizeof(float)), count);
    CU_ASSERT(memcmp(p.elements, test_elements(kernels, rounded, count), (size_t)count * kernels->element_bytes) == 0);
    CU_ASSERT(test_element_error(kernels, p.elements, y, count) < test_element_bound(kernels, 1e-6));
  }
  test_run(kernels, 2, backward, &p);
  CU_ASSERT(test_error(p.d_x, d_x, count) < 1e-6);
  CU_ASSERT(test_error(p.d_gamma, d_gamma, width) < 1e-6);
  CU_ASSERT(test_error(p.d_beta, d_beta, width) < 1e-6);
  float *apart = p.d_x, *added = test_random(count, 5, 1.0);
  p.add = true;
  p.d_x = memcpy(test_floats(count), added, (size_t)count * sizeof(float));
  test_run(kernels, 2, backward, &p);
  for (int64_t i = 0; i < count; i++)
    added[i] += apart[i];
  CU_ASSERT(memcmp(p.d_x, added, (size_t)count * sizeof(float)) == 0);
  p.add = false;
  p.d_x = p.d_y; /* in place */
  memset(p.d_gamma, 0, (size_t)(2 * width) * sizeof(float));
  test_run(kernels, 2, backward, &p);
  CU_ASSERT(memcmp(p.d_x, apart, (size_t)count * sizeof(float)) == 0);
  CU_ASSERT(test_error(p.d_gamma, d_gamma, width) < 1e-6);
}

/* Without a bias: as with one of zeros, bit by bit. */
static void check_unbiased(const heed_kernels *kernels) {
  problem p = make(kernels, 3, WIDTH), plain = p;
  int64_t count = p.rows * WIDTH;
  p.beta = test_floats(WIDTH);
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, backward, &p);
  plain.beta = plain.d_beta = NULL;
  plain.y = test_floats(count);
  plain.d_x = test_floats(count);
  plain.d_gamma = test_floats(2 * WIDTH);
  test_run(kernels, 2, forward, &plain);
  test_run(kernels, 2, backward, &plain);
  CU_ASSERT(memcmp(plain.y, p.y, (size_t)count * sizeof(float)) == 0);
  CU_ASSERT(memcmp(plain.d_x, p.d_x, (size_t)count * sizeof(float)) == 0);
  CU_ASSERT(memcmp(plain.d_gamma, p.d_gamma, WIDTH * sizeof(float)) == 0);
  for (int64_t c = WIDTH; c < 2 * WIDTH; c++)
    CU_ASSERT(plain.d_gamma[c] == 0.0f);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t widths[] = {8, 15, 16, 64, WIDTH, 256};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
    int mark = test_pool_count;
    check_width(kernels, widths[i]);
    test_release_to(mark);
  }
}

/* A large common offset costs no more than the mean's own rounding, 2⁻¹² of 4096 here: that is what the two passes are for. */
static void check_offset(const heed_kernels *kernels) {
  problem p = make(kernels, 2, 64);
  for (int64_t i = 0; i < p.rows * 64; i++)
    p.x[i] = (float)(int)(p.x[i] * 64.0f) / 64.0f; /* so that adding 4096 is exact */
  test_run(kernels, 1, forward, &p);
  double *y = test_widen(p.y, p.rows * 64);
  for (int64_t i = 0; i < p.rows * 64; i++)
    p.x[i] += 4096.0f;
  test_run(kernels, 1, forward, &p);
  CU_ASSERT(test_error(p.y, y, p.rows * 64) < 5e-4);
  for (int64_t i = 0; i < p.rows * 64; i++)
    p.x[i] *= 8.0f;
  test_run(kernels, 1, forward, &p);
  CU_ASSERT(test_error(p.y, y, p.rows * 64) < 5e-4); /* 2⁻⁹ of 32768, and a deviation eight times as large */
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make(kernels, SLICES, WIDTH);
  CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.y, p.rows * WIDTH));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_x, p.rows * WIDTH));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_gamma, PARAMETERS));
  for (int64_t slices = 2; slices <= SLICES; slices++)
    CU_ASSERT(test_same_in_groups(kernels, slices_backward, &p, slices, PARAMETERS));
  problem row = p; /* the last row alone, at another address */
  int64_t at = p.rows - 1, own[] = {0, 1};
  row.starts = own;
  row.slices = row.rows = 1;
  row.x = test_floats(WIDTH + 1);
  row.x = (float *)memcpy(row.x + 1, p.x + at * WIDTH, WIDTH * sizeof(float));
  row.y = test_floats(WIDTH);
  row.mean = test_floats(1);
  row.rstd = test_floats(1);
  test_run(kernels, 1, forward, &row);
  CU_ASSERT(memcmp(row.y, p.y + at * WIDTH, WIDTH * sizeof(float)) == 0);
  CU_ASSERT(row.mean[0] == p.mean[at] && row.rstd[0] == p.rstd[at]);
}

/* Σ weight·y as a function of (x, γ, β) laid one after the other. */
enum { SMALL = 5, TOKENS = 3 };
static double objective(const double *v, const void *data) {
  double y[SMALL * TOKENS], sum = 0.0;
  const double *weight = data;
  reference_layer_norm_forward(y, v, v + SMALL * TOKENS, v + SMALL * TOKENS + SMALL, TOKENS, SMALL, 1e-5);
  for (int i = 0; i < SMALL * TOKENS; i++)
    sum += weight[i] * y[i];
  return sum;
}

static void gradient(void) {
  enum { ALL = SMALL * TOKENS + 2 * SMALL };
  double *v = test_widen(test_random(ALL, 1, 2.0), ALL), *weight = test_widen(test_random(SMALL * TOKENS, 2, 1.0), SMALL * TOKENS);
  double *d = test_doubles(ALL);
  reference_layer_norm_backward(d, d + SMALL * TOKENS, d + SMALL * TOKENS + SMALL, weight, v, v + SMALL * TOKENS, TOKENS, SMALL, 1e-5);
  CU_ASSERT(test_gradient_holds(objective, weight, v, d, ALL));
  test_release();
}

/* A test of the test: a backward that forgets that mean and variance depend on x must be found out. */
static void broken(void) {
  enum { ALL = SMALL * TOKENS + 2 * SMALL };
  double *v = test_widen(test_random(ALL, 1, 2.0), ALL), *weight = test_widen(test_random(SMALL * TOKENS, 2, 1.0), SMALL * TOKENS);
  double *d = test_doubles(ALL);
  reference_layer_norm_backward(d, d + SMALL * TOKENS, d + SMALL * TOKENS + SMALL, weight, v, v + SMALL * TOKENS, TOKENS, SMALL, 1e-5);
  for (int t = 0; t < TOKENS; t++) {
    double mean, rstd;
    reference_layer_norm_moments(&mean, &rstd, v + t * SMALL, SMALL, 1e-5);
    for (int c = 0; c < SMALL; c++)
      d[t * SMALL + c] = weight[t * SMALL + c] * v[SMALL * TOKENS + c] * rstd;
  }
  CU_ASSERT_FALSE(test_gradient_holds(objective, weight, v, d, ALL));
  test_release();
}

static void twin(void) {
  test_each_element(check_twin);
}
static void unbiased(void) {
  test_each_element(check_unbiased);
}
static void offset(void) {
  test_each_element(check_offset);
}
static void bits(void) {
  test_each_element(check_bits);
}

HEED_TESTS({"results are those of the double twin", twin}, {"without a bias", unbiased},
           {"offset and scale of a row leave no trace", offset}, {"bits do not depend on threads, groups of slices or place", bits},
           {"the twin's gradient fits differences", gradient}, {"a broken gradient is found out", broken})
