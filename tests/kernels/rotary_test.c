/* Rotary positions against the double twin; what a rotation keeps; the twin against differences. */
#include "reference/rotary.h"

#include "kernels/kernel_test.h"
#include "reference/gradient_check.h"

enum { TOKENS = 41, POSITIONS = 50 };

/** Heads side by side within tokens that are wider, as q and k lie within a product. */
typedef struct problem {
  int64_t tokens, stride, heads, head_width;
  int32_t *positions;
  float *x, *table;  /* x: values */
  const void *fresh; /* elements of x */
  void *turned;      /* elements: rotated in place */
  bool back;
} problem;

static problem make(const heed_kernels *kernels, int64_t heads, int64_t head_width) {
  problem p = {.tokens = TOKENS, .stride = heads * head_width + 5, .heads = heads, .head_width = head_width};
  double *table = test_doubles(POSITIONS * head_width);
  reference_rotary_table(table, POSITIONS, head_width, 10000.0);
  p.table = test_floats(POSITIONS * head_width);
  for (int64_t i = 0; i < POSITIONS * head_width; i++)
    p.table[i] = (float)table[i];
  p.positions = test_memory(TOKENS, sizeof *p.positions);
  for (int64_t t = 0; t < TOKENS; t++)
    p.positions[t] = (int32_t)(t * 17 % POSITIONS);
  p.x = test_random_values(kernels, TOKENS * p.stride, 1, 2.0);
  p.fresh = test_elements(kernels, p.x, TOKENS * p.stride);
  p.turned = test_elements(kernels, p.x, TOKENS * p.stride);
  return p;
}

static void rotary(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->rotary(p->turned, p->table, p->positions, p->tokens, p->stride, p->heads, p->head_width, p->back);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t sizes[][2] = {{1, 2}, {3, 6}, {2, 34}, {4, 64}, {12, 32}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int back = 0; back < 2; back++) {
      problem p = make(kernels, sizes[i][0], sizes[i][1]);
      int64_t count = TOKENS * p.stride;
      double *x = test_widen(p.x, count), *want = test_widen(p.x, count), *table = test_widen(p.table, POSITIONS * p.head_width);
      p.back = back == 1;
      reference_rotary(want, x, table, p.positions, TOKENS, p.stride, p.heads, p.head_width, p.back ? -1.0 : 1.0);
      test_run(kernels, 2, rotary, &p);
      float *got = test_values(kernels, p.turned, count);
      CU_ASSERT(test_error(got, want, count) < test_element_bound(kernels, 1e-7));
      for (int64_t t = 0; t < TOKENS; t++) /* what lies beside the heads stays */
        for (int64_t c = p.heads * p.head_width; c < p.stride; c++)
          CU_ASSERT_FATAL((double)got[t * p.stride + c] == x[t * p.stride + c]);
    }
}

/* Place 0 leaves the bits; forth and back is where it was; a product of q and k depends on the distance of their places alone. */
static void check_identities(const heed_kernels *kernels) {
  problem p = make(kernels, 2, 32);
  double *x = test_widen(p.x, TOKENS * p.stride);
  test_run(kernels, 1, rotary, &p);
  CU_ASSERT(memcmp(p.turned, p.fresh, (size_t)p.stride * kernels->element_bytes) == 0);
  p.back = true;
  test_run(kernels, 1, rotary, &p);
  CU_ASSERT(test_element_error(kernels, p.turned, x, TOKENS * p.stride) < 2.0 * test_element_bound(kernels, 1e-7));
  p.tokens = 0;
  test_run(kernels, 1, rotary, &p);

  problem pair = make(kernels, 1, 32);
  double products[2], sizes[2] = {0};
  for (int32_t shift = 0; shift < 2; shift++) {
    float *fresh = test_random_values(kernels, 2 * pair.stride, 9, 1.0);
    int32_t places[] = {3 + 20 * shift, 11 + 20 * shift};
    pair.turned = test_elements(kernels, fresh, 2 * pair.stride);
    pair.positions = places;
    pair.tokens = 2;
    test_run(kernels, 1, rotary, &pair);
    fresh = test_values(kernels, pair.turned, 2 * pair.stride);
    products[shift] = 0.0;
    for (int64_t c = 0; c < 32; c++) {
      products[shift] += (double)fresh[c] * (double)fresh[pair.stride + c];
      for (int side = 0; side < 2; side++)
        sizes[side] += (double)fresh[c + side * pair.stride] * (double)fresh[c + side * pair.stride] / 2.0;
    }
  }
  /* each of the four vectors is rounded, and moves its product by no more than that part of |q|·|k| */
  CU_ASSERT_DOUBLE_EQUAL(products[0], products[1], 4.0 * test_element_bound(kernels, 2.5e-7) * sqrt(sizes[0] * sizes[1]));
}

/* In place: each run starts from the same x. */
static void fresh_rotary(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
#pragma omp single
  memcpy(p->turned, p->fresh, (size_t)(TOKENS * p->stride) * k->element_bytes);
  rotary(k, data, scratch);
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make(kernels, 3, 34), last = p;
  CU_ASSERT(test_same_elements_on_threads(kernels, fresh_rotary, &p, p.turned, TOKENS * p.stride));
  last.tokens = 1; /* the last token alone */
  last.positions += TOKENS - 1;
  last.turned = test_elements(kernels, p.x + (TOKENS - 1) * p.stride, p.stride);
  test_run(kernels, 1, rotary, &last);
  CU_ASSERT(memcmp(last.turned, test_behind(kernels, p.turned, (TOKENS - 1) * p.stride), (size_t)p.stride * kernels->element_bytes) == 0);
}

enum { ROWS = 3, HEADS = 2, WIDTH = 6, COUNT = ROWS * HEADS * WIDTH };
static const int32_t places[ROWS] = {1, 4, 2};

/* Σ weight·y³ of the rotated x: a function that bends. */
static double objective(const double *x, const void *data) {
  double y[COUNT], sum = 0.0;
  reference_rotary(y, x, data, places, ROWS, HEADS * WIDTH, HEADS, WIDTH, 1.0);
  for (int i = 0; i < COUNT; i++)
    sum += test_number(3, i) * y[i] * y[i] * y[i];
  return sum;
}

static void gradient(void) {
  double table[5 * WIDTH], x[COUNT], y[COUNT], d_y[COUNT], d_x[COUNT];
  reference_rotary_table(table, 5, WIDTH, 10000.0);
  for (int i = 0; i < COUNT; i++)
    x[i] = 2.0 * test_number(1, i);
  reference_rotary(y, x, table, places, ROWS, HEADS * WIDTH, HEADS, WIDTH, 1.0);
  for (int i = 0; i < COUNT; i++)
    d_y[i] = 3.0 * test_number(3, i) * y[i] * y[i];
  reference_rotary(d_x, d_y, table, places, ROWS, HEADS * WIDTH, HEADS, WIDTH, -1.0);
  CU_ASSERT(test_gradient_holds(objective, table, x, d_x, COUNT));
  reference_rotary(d_x, d_y, table, places, ROWS, HEADS * WIDTH, HEADS, WIDTH, 1.0); /* forth instead of back */
  CU_ASSERT_FALSE(test_gradient_holds(objective, table, x, d_x, COUNT));
  test_release();
}

static void twin(void) {
  test_each_element(check_twin);
}
static void identities(void) {
  test_each_element(check_identities);
}
static void bits(void) {
  test_each_element(check_bits);
}

HEED_TESTS({"results are those of the double twin", twin}, {"place 0, forth and back, distances", identities},
           {"bits do not depend on threads or place", bits}, {"the twin's gradient fits differences, a wrong one does not", gradient})
