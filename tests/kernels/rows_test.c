/* Rows picked by index, and their gradients put back; floats as elements. */
#include "kernels/kernel_test.h"
#include "kernels/vector_math.h"

enum { FROM = 40, ROWS = 13, WIDTH = 21 };

typedef struct problem {
  void *y; /* elements */
  float *x, *d_x, *d_y;
  int64_t *index, count;
} problem;

static void gather(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->gather_rows(p->y, p->x, p->index, ROWS, WIDTH);
}
static void scatter(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->scatter_rows(p->d_x, p->d_y, p->index, ROWS, WIDTH);
}
static void narrow(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->narrow(p->y, p->x, p->count);
}

static void check(const heed_kernels *kernels) {
  problem p = {.x = test_random(FROM * WIDTH, 1, 1.0), .d_x = test_random(FROM * WIDTH, 2, 1.0), .d_y = test_random(ROWS * WIDTH, 3, 1.0)};
  p.y = test_unwritten(kernels, ROWS * WIDTH);
  p.index = test_memory(ROWS, sizeof(int64_t));
  for (int64_t m = 0; m < ROWS; m++)
    p.index[m] = (m * 17 + 5) % FROM; /* distinct: 17 and 40 have no common divisor */
  test_run(kernels, 3, gather, &p);
  float *rounded = test_rounded(kernels, memcpy(test_floats(FROM * WIDTH), p.x, FROM * WIDTH * sizeof(float)), FROM * WIDTH);
  for (int64_t m = 0; m < ROWS; m++)
    CU_ASSERT(memcmp(test_behind(kernels, p.y, m * WIDTH), test_elements(kernels, rounded + p.index[m] * WIDTH, WIDTH),
                     WIDTH * kernels->element_bytes) == 0);
  float *want = memcpy(test_floats(FROM * WIDTH), p.d_x, FROM * WIDTH * sizeof(float));
  for (int64_t m = 0; m < ROWS; m++)
    for (int64_t c = 0; c < WIDTH; c++)
      want[p.index[m] * WIDTH + c] += p.d_y[m * WIDTH + c];
  test_run(kernels, 3, scatter, &p);
  CU_ASSERT(memcmp(p.d_x, want, FROM * WIDTH * sizeof(float)) == 0);
}

/* In each place of a vector and of its tail: ties to even, what rounds up to the next power or to infinity, infinities, zeros, and what is
 * not a number; and across the pieces that threads take. */
static void check_narrow(const heed_kernels *kernels) {
  static const float hard[] = {1.00390625f, 1.01171875f, 1.9999999f, -1.00390625f, 0x1.FFp127f, -0x1.FFp127f, 0x1.FEFFFEp127f, INFINITY,
                               -INFINITY,   0.0f,        -0.0f,      0x1p-126f,    1.0039064f,  1.0039062f,   1.0f / 3.0f};
  enum { HARD = sizeof hard / sizeof *hard };
  static const int64_t counts[] = {1, 15, 16, 17, 33, 4096, 4097, 10001};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    int mark = test_pool_count;
    problem p = {.count = counts[i], .x = test_floats(counts[i])};
    for (int64_t c = 0; c < p.count; c++)
      p.x[c] = hard[c * 7 % HARD];
    p.y = test_unwritten(kernels, p.count + 1);
    test_run(kernels, 3, narrow, &p);
    float *rounded = test_rounded(kernels, memcpy(test_floats(p.count), p.x, (size_t)p.count * sizeof(float)), p.count);
    CU_ASSERT(memcmp(p.y, test_elements(kernels, rounded, p.count), (size_t)p.count * kernels->element_bytes) == 0);
    CU_ASSERT(isnan(test_values(kernels, test_behind(kernels, p.y, p.count), 1)[0])); /* not written */
    for (int64_t c = 0; c < p.count; c++)
      p.x[c] = heed_float_of(c % 2 ? 0x7F800001 : 0xFFFFFFFF); /* the NaNs that a careless rounding makes infinite, or 0 */
    test_run(kernels, 3, narrow, &p);
    int64_t wrong = 0;
    float *values = test_values(kernels, p.y, p.count);
    for (int64_t c = 0; c < p.count; c++)
      wrong += !isnan(values[c]);
    CU_ASSERT_EQUAL(wrong, 0);
    test_release_to(mark);
  }
}

static void rows(void) {
  test_each_element(check);
}
static void narrowed(void) {
  test_each_element(check_narrow);
}

HEED_TESTS({"gather copies rows, scatter adds them back", rows}, {"floats become elements", narrowed})
