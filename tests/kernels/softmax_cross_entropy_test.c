/* Softmax cross-entropy against a double twin, and its identities. */
#include "kernels/kernel_test.h"
#include "reference/gradient_check.h"

enum { ROWS = 9, VOCABULARY = 1531, ALL = ROWS * VOCABULARY };

typedef struct problem {
  float *logits, *used; /* used: a copy, which the kernel uses up */
  void *d_logits;       /* elements, or NULL */
  double *loss;
  int32_t *target;
  int64_t rows;
} problem;

static problem make(const heed_kernels *kernels) {
  problem p = {test_random(ALL, 1, 8.0),           test_floats(ALL),
               test_unwritten(kernels, ALL),       test_doubles(ROWS),
               test_memory(ROWS, sizeof(int32_t)), ROWS};
  for (int32_t m = 0; m < ROWS; m++)
    p.target[m] = m == 0 ? VOCABULARY - 1 : m * 170; /* first and last too */
  p.target[1] = 0;
  return p;
}

static void run(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
#pragma omp single
  memcpy(p->used, p->logits, (size_t)(p->rows * VOCABULARY) * sizeof(float));
  k->softmax_cross_entropy(p->loss, p->d_logits, p->used, p->target, p->rows, VOCABULARY, 0.25f);
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
  problem p = make(kernels);
  double *z = test_widen(p.logits, ALL), *d = test_doubles(ALL), loss[ROWS];
  for (int64_t m = 0; m < ROWS; m++)
    loss[m] = reference(d + m * VOCABULARY, z + m * VOCABULARY, VOCABULARY, p.target[m]);
  for (int64_t i = 0; i < ALL; i++)
    d[i] *= 0.25;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(test_element_error(kernels, p.d_logits, d, ALL) < test_element_bound(kernels, 1e-6));
  const float *gradient = test_values(kernels, p.d_logits, ALL);
  for (int64_t m = 0; m < ROWS; m++) {
    CU_ASSERT_DOUBLE_EQUAL(p.loss[m], loss[m], 1e-6);
    double sum = 0.0;
    for (int64_t v = 0; v < VOCABULARY; v++)
      sum += (double)gradient[m * VOCABULARY + v];
    /* probabilities sum to one; a bf16 is off by 2⁻⁸ of itself at most, and their sizes sum to less than 2 · 0.25 */
    CU_ASSERT(fabs(sum) < (test_is_bf16(kernels) ? 0.5 * 0x1p-8 : 1e-6));
  }
  void *apart = p.d_logits;
  double without[ROWS];
  p.d_logits = NULL; /* loss alone is the same, and leaves the logits */
  memcpy(without, p.loss, sizeof without);
  test_run(kernels, 2, run, &p);
  CU_ASSERT(memcmp(without, p.loss, sizeof without) == 0);
  CU_ASSERT(memcmp(p.used, p.logits, ALL * sizeof(float)) == 0);
  if (test_is_bf16(kernels))
    return;
  p.d_logits = p.used; /* in place */
  test_run(kernels, 2, run, &p);
  CU_ASSERT(memcmp(p.d_logits, apart, ALL * sizeof(float)) == 0);
}

/* A constant added to all logits changes nothing; huge ones do not overflow; NaN shows. */
static void check_edges(const heed_kernels *kernels) {
  problem p = make(kernels);
  for (int64_t i = 0; i < ALL; i++)
    p.logits[i] = (float)(int)(p.logits[i] * 16.0f) / 16.0f; /* so that adding 1024 is exact */
  test_run(kernels, 2, run, &p);
  double *d = test_widen(test_values(kernels, p.d_logits, ALL), ALL), loss = p.loss[3];
  for (int64_t i = 0; i < ALL; i++)
    p.logits[i] += 1024.0f;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(test_element_error(kernels, p.d_logits, d, ALL) < 1e-7 && fabs(p.loss[3] - loss) < 1e-9);
  p.logits[3 * VOCABULARY + 7] = 3e38f;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(isfinite(p.loss[3]) && p.loss[3] > 1e38 && test_values(kernels, p.d_logits, ALL)[3 * VOCABULARY + 7] == 0.25f);
  p.logits[3 * VOCABULARY + 9] = NAN;
  test_run(kernels, 2, run, &p);
  CU_ASSERT(isnan(p.loss[3]) && isnan(test_values(kernels, p.d_logits, ALL)[3 * VOCABULARY]) && isfinite(p.loss[4]));
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make(kernels);
  CU_ASSERT(test_same_elements_on_threads(kernels, run, &p, p.d_logits, ALL));
  problem alone = p;
  alone.logits += 4 * VOCABULARY;
  alone.target += 4;
  alone.rows = 1;
  alone.loss = test_doubles(1);
  alone.d_logits = test_unwritten(kernels, VOCABULARY);
  test_run(kernels, 1, run, &alone);
  CU_ASSERT(alone.loss[0] == p.loss[4]);
  CU_ASSERT(memcmp(alone.d_logits, test_behind(kernels, p.d_logits, 4 * VOCABULARY), VOCABULARY * kernels->element_bytes) == 0);
}

enum { PARTS = 3 };

/* One part of the vocabulary of all rows. */
typedef struct part {
  int64_t first, count;
  float *logits;
  void *d_logits;
  double loss[ROWS];
} part;

typedef struct parts_problem {
  const problem *whole;
  part parts[PARTS];
  double sums[PARTS * ROWS][HEED_SOFTMAX_SUMS];
  bool gradients;
} parts_problem;

static void run_parts(const heed_kernels *k, const void *data, float *scratch) {
  parts_problem *p = (parts_problem *)data;
  const int32_t *target = p->whole->target;
  (void)scratch;
  for (int i = 0; i < PARTS; i++)
    k->softmax_sums(p->sums + i * ROWS, p->parts[i].logits, target, p->parts[i].first, ROWS, p->parts[i].count, p->gradients);
  for (int i = 0; i < PARTS; i++) {
    part *own = &p->parts[i];
    k->softmax_cross_entropy_of_parts(own->loss, p->gradients ? own->d_logits : NULL, own->logits,
                                      (const double(*)[HEED_SOFTMAX_SUMS])p->sums, PARTS, i, target, own->first, ROWS, own->count, 0.25f);
  }
}

/* The parts of a vocabulary together do what the whole does: each has the loss, and its part of the gradient. */
static void check_parts(const heed_kernels *kernels) {
  problem whole = make(kernels);
  static parts_problem p;
  p = (parts_problem){.whole = &whole};
  for (int i = 0; i < PARTS; i++) {
    const int64_t first = VOCABULARY * i / PARTS, count = VOCABULARY * (i + 1) / PARTS - first;
    part *own = &p.parts[i];
    *own = (part){.first = first, .count = count, .logits = test_floats(ROWS * count)};
    for (int64_t m = 0; m < ROWS; m++)
      memcpy(own->logits + m * count, whole.logits + m * VOCABULARY + first, (size_t)count * sizeof *own->logits);
    own->d_logits = test_is_bf16(kernels) ? test_unwritten(kernels, ROWS * count) : own->logits;
  }
  test_run(kernels, 2, run, &whole);
  for (int gradients = 0; gradients < 2; gradients++) { /* losses alone leave the logits */
    p.gradients = gradients;
    test_run(kernels, 2, run_parts, &p);
    for (int64_t m = 0; m < PARTS * ROWS; m++)
      CU_ASSERT_DOUBLE_EQUAL(p.parts[m / ROWS].loss[m % ROWS], whole.loss[m % ROWS], 1e-6);
  }
  const double *want = test_widen(test_values(kernels, whole.d_logits, ALL), ALL);
  for (int i = 0; i < PARTS; i++) {
    const part *own = &p.parts[i];
    double *part_of = test_doubles(ROWS * own->count);
    for (int64_t m = 0; m < ROWS; m++)
      memcpy(part_of + m * own->count, want + m * VOCABULARY + own->first, (size_t)own->count * sizeof *part_of);
    CU_ASSERT(test_element_error(kernels, own->d_logits, part_of, ROWS * own->count) < test_element_bound(kernels, 1e-6));
  }
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
  test_each_element(check_twin);
}
static void edges(void) {
  test_each_element(check_edges);
}
static void parts(void) {
  test_each_element(check_parts);
}
static void bits(void) {
  test_each_element(check_bits);
}

HEED_TESTS({"loss and gradient are those of the double twin", twin}, {"a shift changes nothing, huge logits and NaN are right", edges},
           {"parts of a vocabulary do what the whole does", parts}, {"bits do not depend on threads or place", bits},
           {"the twin's gradient fits differences, a wrong one does not", gradient})
