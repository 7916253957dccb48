/* Dropout: the right elements at the right rate, the same in backward, and whatever the sequence is packed with. */
#include "kernels/kernel_test.h"
#include "reference/dropout.h"

enum { SEQUENCES = 4, WIDTH = 200, WIDEST = 2051, TOKENS = 120 };
static const int64_t all_offsets[] = {0, 40, 41, 90, TOKENS};

typedef struct problem {
  int64_t tokens, width;
  const int64_t *offsets;
  int32_t *sequence_of;
  float *x, *residual, *y;
  void *d_x; /* elements */
  heed_dropout dropout;
} problem;

static problem make(double rate) {
  uint32_t threshold = (uint32_t)(rate * 65536.0 + 0.5);
  problem p = {.tokens = TOKENS,
               .width = WIDTH,
               .offsets = all_offsets,
               .sequence_of = test_memory(TOKENS, sizeof(int32_t)),
               .x = test_random(TOKENS * WIDTH, 1, 1.0),
               .residual = test_floats(TOKENS * WIDTH),
               .y = test_floats(TOKENS * WIDTH),
               .dropout = {threshold, (float)(65536.0 / (65536.0 - threshold)), 9, 100, 5, 17}};
  for (int32_t b = 0; b < SEQUENCES; b++)
    for (int64_t t = all_offsets[b]; t < all_offsets[b + 1]; t++)
      p.sequence_of[t] = b;
  return p;
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
#pragma omp for
  for (int64_t i = 0; i < p->tokens * p->width; i++)
    p->y[i] = p->x[i];
  heed_residual r = {.sum = p->y, .residual = p->residual, .sequence_of = p->sequence_of, .offsets = p->offsets, .dropout = p->dropout};
  k->residual_forward(&r, p->tokens, p->width);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->residual_backward(p->d_x, p->x, p->sequence_of, p->offsets, p->tokens, p->width, &p->dropout);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t widths[] = {WIDTH, 7, 64, 131};
  for (int i = 0; i < 4; i++) {
    problem p = make(0.3);
    p.width = widths[i];
    p.residual = test_random(TOKENS * WIDTH, 2, 1.0);
    double *want = test_doubles(TOKENS * WIDTH);
    for (int64_t t = 0; t < TOKENS; t++)
      for (int64_t c = 0; c < p.width; c++) {
        int64_t b = p.sequence_of[t], e = (t - p.offsets[b]) * 8 * ((p.width + 7) / 8) + c, at = t * p.width + c;
        want[at] = (double)p.residual[at] + (double)p.x[at] * reference_dropout_factor(&p.dropout, b, 0, e);
      }
    test_run(kernels, 2, forward, &p);
    CU_ASSERT(test_error(p.y, want, TOKENS * p.width) < 1e-7);
  }
}

/* Of n elements np are dropped, within five standard deviations; what is kept is scaled so that the mean stays. */
static void check_rate(const heed_kernels *kernels) {
  static const double rates[] = {0.1, 0.5, 0.9};
  for (int i = 0; i < 3; i++) {
    problem p = make(rates[i]);
    for (int64_t j = 0; j < TOKENS * WIDTH; j++)
      p.x[j] = 1.0f;
    test_run(kernels, 2, forward, &p);
    int64_t dropped = 0, n = TOKENS * WIDTH;
    for (int64_t j = 0; j < n; j++) {
      dropped += p.y[j] == 0.0f;
      CU_ASSERT_FATAL(p.y[j] == 0.0f || fabs((double)p.y[j] * (1.0 - rates[i]) - 1.0) < 1e-3);
    }
    CU_ASSERT(fabs((double)dropped - rates[i] * (double)n) < 5.0 * sqrt((double)n * rates[i] * (1.0 - rates[i])));
  }
}

static void check_none(const heed_kernels *kernels) {
  problem p = make(0.0);
  p.residual = test_random(TOKENS * WIDTH, 2, 1.0);
  test_run(kernels, 2, forward, &p);
  for (int64_t i = 0; i < TOKENS * WIDTH; i++)
    CU_ASSERT_FATAL(p.y[i] == p.x[i] + p.residual[i]);
}

/* The gradient: what forward makes of a row, as elements; in rows of one call of the counters and of more. */
static void check_backward(const heed_kernels *kernels) {
  static const int64_t widths[] = {WIDTH, 7, 1024, WIDEST};
  for (int i = 0; i < 8; i++) {
    int mark = test_pool_count;
    problem p = make(i < 4 ? 0.3 : 0.0);
    p.width = widths[i % 4];
    int64_t count = TOKENS * p.width;
    p.x = test_random(count, 1, 1.0);
    p.y = test_floats(count);
    p.residual = test_floats(count);
    for (int64_t j = 0; j < count; j++)
      p.residual[j] = -0.0f; /* which leaves the sign of a zero */
    test_run(kernels, 2, forward, &p);
    p.d_x = test_unwritten(kernels, count);
    test_run(kernels, 2, backward, &p);
    CU_ASSERT(memcmp(p.d_x, test_elements(kernels, test_rounded(kernels, p.y, count), count), (size_t)count * kernels->element_bytes) == 0);
    test_release_to(mark);
  }
}

static void check_bits(const heed_kernels *kernels) {
  problem p = make(0.2);
  CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.y, TOKENS * WIDTH));
  p.d_x = test_floats(TOKENS * WIDTH);
  CU_ASSERT(test_same_elements_on_threads(kernels, backward, &p, p.d_x, TOKENS * WIDTH));
  for (int b = 0; b < SEQUENCES; b++) { /* a sequence alone: sequence 0 of a stream that begins at its row */
    int64_t tokens = all_offsets[b + 1] - all_offsets[b], offsets[] = {0, tokens};
    problem alone = make(0.2);
    alone.tokens = tokens;
    alone.offsets = offsets;
    alone.sequence_of = test_memory(TOKENS, sizeof(int32_t));
    alone.x = p.x + all_offsets[b] * WIDTH;
    alone.dropout.first_row += (uint32_t)b;
    test_run(kernels, 1, forward, &alone);
    CU_ASSERT(memcmp(alone.y, p.y + all_offsets[b] * WIDTH, (size_t)(tokens * WIDTH) * sizeof(float)) == 0);
  }
}

/* Each name of a draw counts: another seed, position, site or row gives another mask. */
static void check_names(const heed_kernels *kernels) {
  problem p = make(0.5);
  test_run(kernels, 1, forward, &p);
  uint32_t *names[] = {&p.dropout.seed, &p.dropout.data_position, &p.dropout.site, &p.dropout.first_row};
  float *first = p.y;
  p.y = test_floats(TOKENS * WIDTH);
  for (int i = 0; i < 4; i++) {
    ++*names[i];
    test_run(kernels, 1, forward, &p);
    --*names[i];
    int64_t same = 0;
    for (int64_t j = 0; j < TOKENS * WIDTH; j++)
      same += (first[j] == 0.0f) == (p.y[j] == 0.0f);
    CU_ASSERT(same > TOKENS * WIDTH * 45 / 100 && same < TOKENS * WIDTH * 55 / 100);
  }
}

static void twin(void) {
  test_each_element(check_twin);
}
static void rate(void) {
  test_each_element(check_rate);
}
static void none(void) {
  test_each_element(check_none);
}
static void back(void) {
  test_each_element(check_backward);
}
static void bits(void) {
  test_each_element(check_bits);
}
static void names(void) {
  test_each_element(check_names);
}

HEED_TESTS({"elements are dropped by their counters", twin}, {"the rate is kept, and the mean", rate}, {"no dropout passes through", none},
           {"backward has forward's mask", back}, {"bits do not depend on threads or packing", bits},
           {"seed, position, site and row each change the mask", names})
