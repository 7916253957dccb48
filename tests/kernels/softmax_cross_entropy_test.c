/* Softmax cross-entropy against a double twin, and its identities. */
#include "kernels/kernel_test.h"
#include "reference/gradient_check.h"

enum { ROWS = 9, VOCABULARY = 1531, ALL = ROWS * VOCABULARY };

typedef struct problem {
  float *logits, *d_logits;
  double *loss;
  int32_t *target;
  int64_t rows;
} problem;

static problem make(void) {
  problem p = {test_random(ALL, 1, 8.0), test_floats(ALL), test_doubles(ROWS), test_memory(ROWS, sizeof(int32_t)), ROWS};
  for (int32_t m = 0; m < ROWS; m++)
    p.target[m] = m == 0 ? VOCABULARY - 1 : m * 170; /* first and last too */
  p.target[1] = 0;
  return p;
}

static void run(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->softmax_cross_entropy(p->loss, p->d_logits, p->logits, p->target, p->rows, VOCABULARY, 0.25f);
}

/** loss = log Σ e^z − z_target of one row; `gradient` (may be NULL) = softmax − one-hot. */
static double reference(double *gradient, const double *z, int64_t count, int64_t target) {
  double most = -INFINITY, sum = 0.0;
  for (int64_t v = 0; v < count; v++)
    most = fmax(most, z[v]);
  for (int64_t v = 0; v < count; v++)
    sum += exp(z[v] - most);
  for (int64_t v = 0; gradient && v < count; v++)
    gradient[v] = exp(z[v] - most) / sum - (v == target);
  return log(sum) + most - z[target];
}

static void check_twin(const heed_kernels *kernels) {
  problem p = make();
  double *z = test_widen(p.logits, ALL), *d = test_doubles(ALL), loss[ROWS];
  for (int64_t m = 0; m < ROWS; m++)
    loss[m] = reference(d + m * VOCABULARY, z + m * VOCABULARY, VOCABULARY, p.target[m]);
  for (int64_t i = 0; i < ALL; i++)
    d[i] *= 0.25;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(test_error(p.d_logits, d, ALL) < 1e-6);
  for (int64_t m = 0; m < ROWS; m++) {
    CU_ASSERT_DOUBLE_EQUAL(p.loss[m], loss[m], 1e-6);
    double sum = 0.0;
    for (int64_t v = 0; v < VOCABULARY; v++)
      sum += (double)p.d_logits[m * VOCABULARY + v];
    CU_ASSERT(fabs(sum) < 1e-6); /* probabilities sum to one */
  }
  float *apart = p.d_logits;
  double without[ROWS];
  p.d_logits = NULL; /* loss alone is the same */
  memcpy(without, p.loss, sizeof without);
  test_run(kernels, 2, run, &p);
  CU_ASSERT(memcmp(without, p.loss, sizeof without) == 0);
  p.d_logits = p.logits; /* in place */
  test_run(kernels, 2, run, &p);
  CU_ASSERT(memcmp(p.d_logits, apart, ALL * sizeof(float)) == 0);
}

/* A constant added to all logits changes nothing; huge ones do not overflow; NaN shows. */
static void check_edges(const heed_kernels *kernels) {
  problem p = make();
  for (int64_t i = 0; i < ALL; i++)
    p.logits[i] = (float)(int)(p.logits[i] * 16.0f) / 16.0f; /* so that adding 1024 is exact */
  test_run(kernels, 2, run, &p);
  double *d = test_widen(p.d_logits, ALL), loss = p.loss[3];
  for (int64_t i = 0; i < ALL; i++)
    p.logits[i] += 1024.0f;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(test_error(p.d_logits, d, ALL) < 1e-7 && fabs(p.loss[3] - loss) < 1e-9);
  p.logits[3 * VOCABULARY + 7] = 3e38f;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(isfinite(p.loss[3]) && p.loss[3] > 1e38 && p.d_logits[3 * VOCABULARY + 7] == 0.25f);
  p.logits[3 * VOCABULARY + 9] = NAN;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(isnan(p.loss[3]) && isnan(p.d_logits[3 * VOCABULARY]) && isfinite(p.loss[4]));
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make();
  CU_ASSERT(test_same_on_threads(kernels, run, &p, p.d_logits, ALL));
  problem alone = p;
  alone.logits += 4 * VOCABULARY;
  alone.target += 4;
  alone.rows = 1;
  alone.loss = test_doubles(1);
  alone.d_logits = test_floats(VOCABULARY);
  test_run(kernels, 1, run, &alone);
  CU_ASSERT(alone.loss[0] == p.loss[4]);
  CU_ASSERT(memcmp(alone.d_logits, p.d_logits + 4 * VOCABULARY, VOCABULARY * sizeof(float)) == 0);
}

static double objective(const double *z, const void *data) {
  (void)data;
  return reference(NULL, z, 20, 3);
}

static void gradient(void) {
  double z[20], d[20];
  for (int i = 0; i < 20; i++)
    z[i] = 2.0 * test_number(1, i);
  reference(d, z, 20, 3);
  CU_ASSERT(test_gradient_holds(objective, NULL, z, d, 20));
  d[3] += 1.0; /* the one-hot forgotten */
  CU_ASSERT_FALSE(test_gradient_holds(objective, NULL, z, d, 20));
  test_release();
}

static void twin(void) {
  test_each_level(check_twin);
}
static void edges(void) {
  test_each_level(check_edges);
}
static void bits(void) {
  test_each_level(check_bits);
}

HEED_TESTS({"loss and gradient are those of the double twin", twin}, {"a shift changes nothing, huge logits and NaN are right", edges},
           {"bits do not depend on threads or place", bits}, {"the twin's gradient fits differences, a wrong one does not", gradient})
