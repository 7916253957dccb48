/* Gated activations against the double twin, the twin against differences, and what must not change a bit. */
#include "kernels/kernel_test.h"
#include "reference/activation.h"
#include "reference/gradient_check.h"

enum { TOKENS = 37 };

typedef struct problem {
  int64_t tokens, width;
  heed_form form;
  float *x, *d_y, *y, *d_x;
} problem;

static problem make(int64_t tokens, int64_t width, heed_form form) {
  return (problem){.tokens = tokens,
                   .width = width,
                   .form = form,
                   .x = test_random(tokens * 2 * width, 1, 3.0),
                   .d_y = test_random(tokens * width, 2, 1.0),
                   .y = test_floats(tokens * width + 1),
                   .d_x = test_floats(tokens * 2 * width + 1)};
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->gated_forward(p->y, p->x, p->tokens, p->width, p->form);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->gated_backward(p->d_x, p->d_y, p->x, p->tokens, p->width, p->form);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t widths[] = {1, 15, 16, 77, 256};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
    for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
      problem p = make(TOKENS, widths[i], form);
      int64_t count = TOKENS * widths[i];
      double *x = test_widen(p.x, 2 * count), *d_y = test_widen(p.d_y, count), *y = test_doubles(count), *d_x = test_doubles(2 * count);
      p.y[count] = p.d_x[2 * count] = 7.0f;
      test_run(kernels, 2, forward, &p);
      test_run(kernels, 2, backward, &p);
      reference_gated_forward(y, x, TOKENS, widths[i], form);
      reference_gated_backward(d_x, d_y, x, TOKENS, widths[i], form);
      CU_ASSERT(test_error(p.y, y, count) < 2e-7);
      CU_ASSERT(test_error(p.d_x, d_x, 2 * count) < 3e-7);
      CU_ASSERT(p.y[count] == 7.0f && p.d_x[2 * count] == 7.0f);
    }
}

/* A gate of one leaves the activation; no tokens leave everything; NaN shows in both halves, ∞ has its limit. */
static void check_edges(const heed_kernels *kernels) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
    problem p = make(2, 8, form);
    float plain[8];
    for (int f = 0; f < 8; f++)
      p.x[8 + f] = 1.0f;
    p.x[16] = p.x[25] = NAN;
    p.x[18] = -INFINITY;
    forward(kernels, &p, NULL);
    kernels->activation_forward(plain, p.x, 8, form);
    CU_ASSERT(memcmp(p.y, plain, sizeof plain) == 0);
    CU_ASSERT(isnan(p.y[8]) && isnan(p.y[9]) && p.y[10] == 0.0f);
    p.tokens = 0;
    p.y[0] = p.d_x[0] = 7.0f;
    forward(kernels, &p, NULL);
    backward(kernels, &p, NULL);
    CU_ASSERT(p.y[0] == 7.0f && p.d_x[0] == 7.0f);
  }
}

static void check_bits(const heed_kernels *kernels) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
    problem p = make(TOKENS, 77, form);
    CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.y, TOKENS * 77));
    CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_x, TOKENS * 2 * 77));
    problem last = p; /* the last token alone */
    last.tokens = 1;
    last.x += (TOKENS - 1) * 2 * 77;
    last.y = test_floats(77);
    test_run(kernels, 1, forward, &p);
    test_run(kernels, 1, forward, &last);
    CU_ASSERT(memcmp(last.y, p.y + (TOKENS - 1) * 77, 77 * sizeof(float)) == 0);
  }
}

enum { ROWS = 3, SMALL = 5, COUNT = ROWS * SMALL };

static double objective(const double *x, const void *data) {
  double y[COUNT], sum = 0.0;
  reference_gated_forward(y, x, ROWS, SMALL, *(const heed_form *)data);
  for (int i = 0; i < COUNT; i++)
    sum += test_number(3, i) * y[i];
  return sum;
}

static void gradient(void) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
    double x[2 * COUNT], d_y[COUNT], d_x[2 * COUNT];
    for (int i = 0; i < 2 * COUNT; i++)
      x[i] = copysign(0.1 + fabs(2.0 * test_number(1, i)), test_number(1, i)); /* away from ReLU's corner */
    for (int i = 0; i < COUNT; i++)
      d_y[i] = test_number(3, i);
    reference_gated_backward(d_x, d_y, x, ROWS, SMALL, form);
    CU_ASSERT(test_gradient_holds(objective, &form, x, d_x, 2 * COUNT));
    for (int64_t t = 0; t < ROWS; t++) /* a backward that forgets the gate */
      for (int64_t f = 0; f < SMALL; f++)
        d_x[t * 2 * SMALL + f] = d_y[t * SMALL + f] * reference_activation_slope(x[t * 2 * SMALL + f], form);
    CU_ASSERT_FALSE(test_gradient_holds(objective, &form, x, d_x, 2 * COUNT));
  }
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

HEED_TESTS({"results are those of the double twin", twin}, {"a gate of one, no tokens, NaN and infinity", edges},
           {"bits do not depend on threads or place", bits}, {"the twin's gradient fits differences, a wrong one does not", gradient})
