/* AdamW, LAMB and sums of squares against the formulas in double; an element's bits do not depend on where a run is cut.  Floats as
 * elements. */
#include "kernels/kernel_test.h"
#include "kernels/vector_math.h"

enum { COUNT = 4001 };

typedef struct state {
  float *w, *m, *v, *g;
} state;

static const heed_adamw settings = {.learning_rate = 1e-3f,
                                    .beta1 = 0.9f,
                                    .beta2 = 0.999f,
                                    .epsilon = 1e-6f,
                                    .weight_decay = 0.01f,
                                    .correction1 = 5.26f,
                                    .correction2 = 500.0f,
                                    .gradient_scale = 0.125f};

static state make(void) {
  state s = {test_random(COUNT, 1, 1.0), test_random(COUNT, 2, 0.1), test_random(COUNT, 3, 0.01), test_random(COUNT, 4, 3.0)};
  for (int i = 0; i < COUNT; i++)
    s.v[i] = fabsf(s.v[i]);
  return s;
}

/** The moments after a step, and m̂/(√v̂ + ε) + λw. */
static double reference(double *m, double *v, double w, double g) {
  g *= (double)settings.gradient_scale;
  *m = (double)settings.beta1 * *m + (1.0 - (double)settings.beta1) * g;
  *v = (double)settings.beta2 * *v + (1.0 - (double)settings.beta2) * g * g;
  double root = sqrt(*v * (double)settings.correction2);
  return *m * (double)settings.correction1 / (root + (double)settings.epsilon) + (double)settings.weight_decay * w;
}

static void check_updates(const heed_kernels *kernels) {
  state s = make();
  double *w = test_widen(s.w, COUNT), *m = test_widen(s.m, COUNT), *v = test_widen(s.v, COUNT), *u = test_doubles(COUNT);
  double *moved = test_doubles(COUNT), *lamb = test_doubles(COUNT);
  for (int i = 0; i < COUNT; i++) {
    u[i] = reference(m + i, v + i, w[i], (double)s.g[i]);
    moved[i] = w[i] - (double)settings.learning_rate * u[i];
    lamb[i] = w[i] - 0.25 * u[i];
  }
  kernels->adamw(s.w, s.m, s.v, s.g, COUNT, &settings);
  CU_ASSERT(test_error(s.w, moved, COUNT) < 1e-6);
  CU_ASSERT(test_error(s.m, m, COUNT) < 1e-6);
  CU_ASSERT(test_error(s.v, v, COUNT) < 2e-5); /* 1 − β₂ in float keeps 0.001 to 3e-5 of itself */

  s = make();
  float *direction = test_floats(COUNT);
  kernels->lamb_direction(direction, s.m, s.v, s.w, s.g, COUNT, &settings);
  CU_ASSERT(test_error(direction, u, COUNT) < 2e-5);
  CU_ASSERT(test_error(s.m, m, COUNT) < 1e-6);
  kernels->lamb_apply(s.w, direction, 0.25f, COUNT);
  CU_ASSERT(test_error(s.w, lamb, COUNT) < 1e-4);
}

static void check_sums(const heed_kernels *kernels) {
  state s = make();
  for (int64_t count = 0; count < 40; count++) {
    double sum = 0.0;
    for (int64_t i = 0; i < count; i++)
      sum += (double)s.g[i] * (double)s.g[i];
    CU_ASSERT_DOUBLE_EQUAL(kernels->square_sum(s.g, count), sum, 1e-12);
  }
  float big[] = {1e30f, -1e30f}; /* squares beyond float */
  CU_ASSERT_DOUBLE_EQUAL(kernels->square_sum(big, 2) / 2e60, 1.0, 1e-6);
  big[1] = NAN;
  CU_ASSERT(isnan(kernels->square_sum(big, 2)));
  float *y = memcpy(test_floats(COUNT), s.w, COUNT * sizeof *y);
  kernels->add(y, s.g, COUNT);
  for (int i = 0; i < COUNT; i++)
    CU_ASSERT_FATAL(y[i] == s.w[i] + s.g[i]);
}

/* Shards cut the flat block at other places on other numbers of ranks. */
static void check_cuts(const heed_kernels *kernels) {
  state whole = make(), cut = make();
  kernels->adamw(whole.w, whole.m, whole.v, whole.g, COUNT, &settings);
  for (int64_t first = 0, next; first < COUNT; first = next) {
    next = first + 1 + first % 97;
    next = next < COUNT ? next : COUNT;
    kernels->adamw(cut.w + first, cut.m + first, cut.v + first, cut.g + first, next - first, &settings);
  }
  CU_ASSERT(memcmp(whole.w, cut.w, COUNT * sizeof(float)) == 0);
  CU_ASSERT(memcmp(whole.m, cut.m, COUNT * sizeof(float)) == 0);
  CU_ASSERT(memcmp(whole.v, cut.v, COUNT * sizeof(float)) == 0);
}

/* In each place of a vector and of its tail: ties to even, what rounds up to the next power or to infinity, infinities, zeros, and what is
 * not a number. */
static void check_narrow(const heed_kernels *kernels) {
  static const float hard[] = {1.00390625f, 1.01171875f, 1.9999999f, -1.00390625f, 0x1.FFp127f, -0x1.FFp127f, 0x1.FEFFFEp127f, INFINITY,
                               -INFINITY,   0.0f,        -0.0f,      0x1p-126f,    1.0039064f,  1.0039062f,   1.0f / 3.0f};
  enum { HARD = sizeof hard / sizeof *hard };
  static const int64_t counts[] = {1, 15, 16, 17, 33, 4096, 4097, 10001};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    int mark = test_pool_count;
    const int64_t count = counts[i];
    float *x = test_floats(count);
    void *y = test_unwritten(kernels, count + 1);
    for (int64_t c = 0; c < count; c++)
      x[c] = hard[c * 7 % HARD];
    kernels->narrow(y, x, count);
    float *rounded = test_rounded(kernels, memcpy(test_floats(count), x, (size_t)count * sizeof(float)), count);
    CU_ASSERT(memcmp(y, test_elements(kernels, rounded, count), (size_t)count * kernels->element_bytes) == 0);
    CU_ASSERT(isnan(test_values(kernels, test_behind(kernels, y, count), 1)[0])); /* not written */
    float *widened = test_floats(count);
    kernels->widen(widened, y, count);
    CU_ASSERT(memcmp(widened, rounded, (size_t)count * sizeof *widened) == 0);
    for (int64_t c = 0; c < count; c++)
      x[c] = heed_float_of(c % 2 ? 0x7F800001 : 0xFFFFFFFF); /* the NaNs that a careless rounding makes infinite, or 0 */
    kernels->narrow(y, x, count);
    int64_t wrong = 0;
    float *values = test_values(kernels, y, count);
    for (int64_t c = 0; c < count; c++)
      wrong += !isnan(values[c]);
    CU_ASSERT_EQUAL(wrong, 0);
    test_release_to(mark);
  }
}

static void updates(void) {
  test_each_level(check_updates);
}
static void sums(void) {
  test_each_level(check_sums);
}
static void cuts(void) {
  test_each_level(check_cuts);
}
static void narrowed(void) {
  test_each_element(check_narrow);
}

HEED_TESTS({"AdamW and LAMB follow their formulas", updates}, {"sums of squares and of blocks", sums}, {"bits do not depend on cuts", cuts},
           {"floats become elements, and elements floats", narrowed})
