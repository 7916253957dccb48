/* Rows picked by index, and their gradients put back. */
#include "kernels/kernel_test.h"

enum { FROM = 40, ROWS = 13, WIDTH = 21 };

typedef struct problem {
  void *y; /* elements */
  float *x, *d_x, *d_y;
  int64_t *index;
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

static void rows(void) {
  test_each_element(check);
}

HEED_TESTS({"gather copies rows, scatter adds them back", rows})
