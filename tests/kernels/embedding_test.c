/* Embeddings: sums of rows, a stable sort, and gradients summed slice by slice. */
#include "kernels/kernel_test.h"

enum { SLICES = 12, ROWS = 150, WIDTH = 77, ABOUT = 90, TABLE = ROWS * WIDTH };

typedef struct problem {
  int64_t *starts, slices, tokens;
  int32_t *ids, *position, *type, *order;
  float *words, *positions, *types, *d_y, *y, *d_table;
} problem;

static problem make(int64_t slices) {
  problem p = {.starts = test_starts(slices, ABOUT), .slices = slices};
  p.tokens = p.starts[slices];
  p.ids = test_memory(p.tokens, sizeof *p.ids);
  p.position = test_memory(p.tokens, sizeof *p.ids);
  p.type = test_memory(p.tokens, sizeof *p.ids);
  p.order = test_memory(p.tokens, sizeof *p.ids);
  for (int64_t t = 0; t < p.tokens; t++) { /* few ids often, many seldom, the first and the last too */
    double u = fabs(test_number(5, t));
    p.ids[t] = t % 50 == 0 ? ROWS - 1 : (int32_t)(u * u * u * ROWS);
    p.position[t] = (int32_t)(t % 40);
    p.type[t] = (int32_t)(t % 3 == 0);
  }
  p.words = test_random(TABLE, 1, 1.0);
  p.positions = test_random(40 * WIDTH, 2, 1.0);
  p.types = test_random(2 * WIDTH, 3, 1.0);
  p.d_y = test_random(p.tokens * WIDTH, 4, 1.0);
  p.y = test_floats(p.tokens * WIDTH);
  p.d_table = test_floats(TABLE);
  return p;
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->embedding_forward(p->y, p->ids, p->position, p->type, p->words, p->positions, p->types, p->tokens, WIDTH);
}
static void sort(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->embedding_sort(p->order, p->ids, p->starts, p->slices);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->embedding_backward(p->d_table, p->d_y, p->order, p->ids, p->starts, p->slices, ROWS, WIDTH, scratch);
}
static void slices_backward(const heed_kernels *k, const void *data, float *scratch) {
  const test_slices *s = data;
  const problem *p = s->data;
  k->embedding_backward(s->gradient, p->d_y, p->order, p->ids, p->starts + s->first, s->slices, ROWS, WIDTH, scratch);
}

/* With all three tables, with either left out, and with words alone. */
static void check_forward(const heed_kernels *kernels) {
  for (int without = 0; without < 4; without++) {
    problem p = make(3);
    p.types = without & 1 ? NULL : p.types;
    p.positions = without & 2 ? NULL : p.positions;
    test_run(kernels, 2, forward, &p);
    int64_t wrong = 0;
    for (int64_t t = 0; t < p.tokens; t++)
      for (int64_t c = 0; c < WIDTH; c++) {
        float sum = p.words[p.ids[t] * WIDTH + c];
        sum = p.positions ? sum + p.positions[p.position[t] * WIDTH + c] : sum;
        wrong += p.y[t * WIDTH + c] != (p.types ? sum + p.types[p.type[t] * WIDTH + c] : sum);
      }
    CU_ASSERT_EQUAL(wrong, 0);
  }
}

static void check_sort(const heed_kernels *kernels) {
  problem p = make(SLICES);
  test_run(kernels, 2, sort, &p);
  int64_t wrong = 0;
  for (int64_t g = 0; g < SLICES; g++)
    for (int64_t i = p.starts[g]; i < p.starts[g + 1]; i++) {
      wrong += p.order[i] < p.starts[g] || p.order[i] >= p.starts[g + 1];
      if (i > p.starts[g]) { /* strictly rising by (id, token): each token once, and stable */
        int32_t a = p.order[i - 1], b = p.order[i];
        wrong += p.ids[a] > p.ids[b] || (p.ids[a] == p.ids[b] && a >= b);
      }
    }
  CU_ASSERT_EQUAL(wrong, 0);
}

static void check_backward(const heed_kernels *kernels) {
  problem p = make(SLICES);
  double *want = test_doubles(TABLE);
  for (int64_t t = 0; t < p.tokens; t++)
    for (int64_t c = 0; c < WIDTH; c++)
      want[p.ids[t] * WIDTH + c] += (double)p.d_y[t * WIDTH + c];
  test_run(kernels, 2, sort, &p);
  memset(p.d_table, 0xFF, TABLE * sizeof *p.d_table); /* NaN: rows of ids that do not occur are written too */
  test_run(kernels, 2, backward, &p);
  CU_ASSERT(test_error(p.d_table, want, TABLE) < 1e-6);
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make(SLICES);
  test_run(kernels, 2, sort, &p);
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_table, TABLE));
  for (int64_t slices = 1; slices <= SLICES; slices++)
    CU_ASSERT(test_same_in_groups(kernels, slices_backward, &p, slices, TABLE));
}

static void embedding(void) {
  test_each_level(check_forward);
}
static void order(void) {
  test_each_level(check_sort);
}
static void gradients(void) {
  test_each_level(check_backward);
}
static void bits(void) {
  test_each_level(check_bits);
}

HEED_TESTS({"rows of the tables are added", embedding}, {"tokens are sorted by id, stably, slice by slice", order},
           {"gradients of equal ids are summed, those of absent ones are 0", gradients},
           {"bits do not depend on threads nor on groups of slices", bits})
