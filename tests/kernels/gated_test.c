/* Gated activations against the double twin, the twin against differences, and what must not change a bit. */
#include "kernels/kernel_test.h"
#include "reference/activation.h"
#include "reference/gradient_check.h"

enum { TOKENS = 37 };

typedef struct problem {
  int64_t tokens, width;
  heed_form form;
  float *x, *d_y; /* values */
  const void *x_elements, *d_y_elements;
  void *y, *d_x; /* elements, one more than there are */
} problem;

static problem make(const heed_kernels *kernels, int64_t tokens, int64_t width, heed_form form) {
  problem p = {.tokens = tokens, .width = width, .form = form};
  p.x = test_random_values(kernels, tokens * 2 * width, 1, 3.0);
  p.d_y = test_random_values(kernels, tokens * width, 2, 1.0);
  p.x_elements = test_elements(kernels, p.x, tokens * 2 * width);
  p.d_y_elements = test_elements(kernels, p.d_y, tokens * width);
  p.y = test_unwritten(kernels, tokens * width + 1);
  p.d_x = test_unwritten(kernels, tokens * 2 * width + 1);
  return p;
}

/** Whether an element has not been written. */
static bool unwritten(const heed_kernels *kernels, const void *elements, int64_t at) {
  static const char ones[] = {-1, -1, -1, -1};
  return memcmp(test_behind(kernels, elements, at), ones, kernels->element_bytes) == 0;
}

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->gated_forward(p->y, p->x_elements, p->tokens, p->width, p->form);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->gated_backward(p->d_x, p->d_y_elements, p->x_elements, p->tokens, p->width, p->form);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t widths[] = {1, 15, 16, 77, 256};
  for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
    for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
      int mark = test_pool_count;
      problem p = make(kernels, TOKENS, widths[i], form);
      int64_t count = TOKENS * widths[i];
      double *x = test_widen(p.x, 2 * count), *d_y = test_widen(p.d_y, count), *y = test_doubles(count), *d_x = test_doubles(2 * count);
      test_run(kernels, 2, forward, &p);
      test_run(kernels, 2, backward, &p);
      reference_gated_forward(y, x, TOKENS, widths[i], form);
      reference_gated_backward(d_x, d_y, x, TOKENS, widths[i], form);
      CU_ASSERT(test_element_error(kernels, p.y, y, count) < test_element_bound(kernels, 2e-7));
      CU_ASSERT(test_element_error(kernels, p.d_x, d_x, 2 * count) < test_element_bound(kernels, 3e-7));
      CU_ASSERT(unwritten(kernels, p.y, count) && unwritten(kernels, p.d_x, 2 * count));
      test_release_to(mark);
    }
}

/* A gate of one leaves the activation: backward by a gradient of one gives it to the gate; no tokens leave everything; NaN shows in both
 * halves, ∞ has its limit. */
static void check_edges(const heed_kernels *kernels) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
    problem p = make(kernels, 2, 8, form);
    for (int f = 0; f < 8; f++)
      p.x[8 + f] = p.d_y[f] = 1.0f;
    p.x[16] = p.x[25] = NAN;
    p.x[18] = -INFINITY;
    p.x_elements = test_elements(kernels, p.x, 32);
    p.d_y_elements = test_elements(kernels, p.d_y, 16);
    forward(kernels, &p, NULL);
    backward(kernels, &p, NULL);
    CU_ASSERT(memcmp(p.y, test_behind(kernels, p.d_x, 8), 8 * kernels->element_bytes) == 0);
    const float *y = test_values(kernels, p.y, 16);
    CU_ASSERT(isnan(y[8]) && isnan(y[9]) && y[10] == 0.0f);
    p.tokens = 0;
    p.y = test_unwritten(kernels, 16);
    p.d_x = test_unwritten(kernels, 32);
    forward(kernels, &p, NULL);
    backward(kernels, &p, NULL);
    CU_ASSERT(unwritten(kernels, p.y, 0) && unwritten(kernels, p.d_x, 0));
  }
}

static void check_bits(const heed_kernels *kernels) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
    problem p = make(kernels, TOKENS, 77, form);
    CU_ASSERT(test_same_elements_on_threads(kernels, forward, &p, p.y, TOKENS * 77));
    CU_ASSERT(test_same_elements_on_threads(kernels, backward, &p, p.d_x, TOKENS * 2 * 77));
    problem last = p; /* the last token alone */
    last.tokens = 1;
    last.x_elements = test_behind(kernels, p.x_elements, (TOKENS - 1) * 2 * 77);
    last.y = test_unwritten(kernels, 77);
    test_run(kernels, 1, forward, &p);
    test_run(kernels, 1, forward, &last);
    CU_ASSERT(memcmp(last.y, test_behind(kernels, p.y, (TOKENS - 1) * 77), 77 * kernels->element_bytes) == 0);
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
  test_each_element(check_twin);
}
static void edges(void) {
  test_each_element(check_edges);
}
static void bits(void) {
  test_each_element(check_bits);
}

HEED_TESTS({"results are those of the double twin", twin}, {"a gate of one, no tokens, NaN and infinity", edges},
           {"bits do not depend on threads or place", bits}, {"the twin's gradient fits differences, a wrong one does not", gradient})
