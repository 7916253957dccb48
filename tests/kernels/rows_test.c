/* Rows picked by index, and their gradients put back. */
#include "kernels/kernel_test.h"

enum { FROM = 40, ROWS = 13, WIDTH = 21 };

typedef struct problem {
  float *y, *x, *d_x;
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
  k->scatter_rows(p->d_x, p->y, p->index, ROWS, WIDTH);
}

static void check(const heed_kernels *kernels) {
  problem p = {test_floats(ROWS * WIDTH), test_random(FROM * WIDTH, 1, 1.0), test_random(FROM * WIDTH, 2, 1.0),
               test_memory(ROWS, sizeof(int64_t))};
  for (int64_t m = 0; m < ROWS; m++)
    p.index[m] = (m * 17 + 5) % FROM; /* distinct: 17 and 40 have no common divisor */
  test_run(kernels, 3, gather, &p);
  for (int64_t m = 0; m < ROWS; m++)
    CU_ASSERT(memcmp(p.y + m * WIDTH, p.x + p.index[m] * WIDTH, WIDTH * sizeof(float)) == 0);
  float *want = memcpy(test_floats(FROM * WIDTH), p.d_x, FROM * WIDTH * sizeof(float));
  for (int64_t m = 0; m < ROWS; m++)
    for (int64_t c = 0; c < WIDTH; c++)
      want[p.index[m] * WIDTH + c] += p.x[p.index[m] * WIDTH + c];
  test_run(kernels, 3, scatter, &p);
  CU_ASSERT(memcmp(p.d_x, want, FROM * WIDTH * sizeof(float)) == 0);
}

static void rows(void) {
  test_each_level(check);
}

HEED_TESTS({"gather copies rows, scatter adds them back", rows})
