/* GELU, ReLU and tanh against the C library in double, at the edges too.  Forward is that of a linear map that leaves x as it is. */
#include <float.h>

#include "kernels/kernel_test.h"
#include "reference/activation.h"
#include "reference/gradient_check.h"

enum { COUNT = 20011 }; /* a prime: remainders everywhere */

typedef struct problem {
  float *x, *d_y;       /* x: values of elements */
  const void *elements; /* x */
  float *y;             /* forward's, floats */
  void *d_x, *slopes;   /* elements */
  int64_t count;
  heed_form form;
  void *workspace;
} problem;

static void activation(const heed_kernels *k, const void *data, float *scratch) {
  static const float one = 1.0f;
  const problem *p = data;
  k->linear_activation_forward(p->y, true, p->slopes, p->elements, (heed_linear_weights){.w = &one}, NULL, p->form, p->count, 1, 1,
                               p->workspace, scratch);
}
static void activation_backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->activation_backward(p->d_x, p->d_y, p->slopes, p->count);
}
static void tanh_of(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  (void)scratch;
  k->tanh_forward(p->d_x, p->elements, p->count);
}

/** Of the values x[count]. */
static problem make_of(const heed_kernels *kernels, float *x, float *d_y, int64_t count, heed_form form) {
  problem p = {.x = test_rounded(kernels, x, count), .d_y = d_y, .y = test_floats(count), .count = count, .form = form};
  p.elements = test_elements(kernels, x, count);
  p.d_x = test_unwritten(kernels, count);
  p.slopes = test_unwritten(kernels, count);
  p.workspace = test_floats(kernels->linear_workspace(count, 1, 1, 1, false));
  return p;
}

/* From −14 to 14, dense, ends included. */
static problem make(const heed_kernels *kernels, heed_form form) {
  float *x = test_floats(COUNT);
  for (int64_t i = 0; i < COUNT; i++)
    x[i] = (float)(28.0 * (double)i / (COUNT - 1) - 14.0);
  return make_of(kernels, x, test_random_values(kernels, COUNT, 1, 1.0), COUNT, form);
}

/** Largest |got − want| in units of the last place of want, or of the least float that matters (1e-30) if want is below. */
static double worst(const float *got, const double *want) {
  double most = 0.0;
  for (int64_t i = 0; i < COUNT; i++)
    most = fmax(most, fabs(want[i]) < 1e-30 ? fabs((double)got[i] - want[i]) / 1e-37 : test_ulps(got[i], want[i]));
  return most;
}

/* In the lower tail x² carries an error of up to ½ ulp into the exponent, which the result shows x²/2 times; so the bound has two parts. */
static void check_gelu(const heed_kernels *kernels) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_GELU_TANH; form++) {
    problem p = make(kernels, form);
    double *want = test_doubles(COUNT), body = 0.0, tail = 0.0;
    test_run(kernels, 2, activation, &p);
    for (int64_t i = 0; i < COUNT; i++) {
      want[i] = reference_activation((double)p.x[i], form);
      double off = fabs(want[i]) < 1e-30 ? 0.0 : test_ulps(p.y[i], want[i]);
      if (p.x[i] > -1.0f)
        body = fmax(body, off);
      else
        tail = fmax(tail, off / (1.0 + (double)(p.x[i] * p.x[i]) * (form == HEED_FORM_GELU_TANH ? fabs((double)p.x[i]) : 1.0)));
    }
    CU_ASSERT(body < 5.0 && tail < 3.0);
    CU_ASSERT(test_error(p.y, want, COUNT) < 1e-7);
    test_run(kernels, 2, activation_backward, &p);
    for (int64_t i = 0; i < COUNT; i++)
      want[i] = (double)p.d_y[i] * reference_activation_slope((double)p.x[i], form);
    CU_ASSERT(test_element_error(kernels, p.d_x, want, COUNT) < test_element_bound(kernels, 2e-7));
    float *d_x = test_values(kernels, p.d_x, COUNT);
    for (int64_t i = 0; i < COUNT; i++)
      CU_ASSERT_FATAL(fabs((double)d_x[i] - want[i]) <
                      1e-6 + (test_is_bf16(kernels) ? 0x1p-7 * fabs(want[i]) : 0.0)); /* the slope is rounded too */
  }
}

/* Exact; the slope at 0 is 0. */
static void check_relu(const heed_kernels *kernels) {
  problem p = make(kernels, HEED_FORM_RELU);
  int64_t wrong = 0;
  p.x[11] = 0.0f;
  p.elements = test_elements(kernels, p.x, COUNT);
  test_run(kernels, 2, activation, &p);
  for (int64_t i = 0; i < COUNT; i++)
    wrong += (double)p.y[i] != reference_activation((double)p.x[i], HEED_FORM_RELU);
  test_run(kernels, 2, activation_backward, &p);
  float *d_x = test_values(kernels, p.d_x, COUNT);
  for (int64_t i = 0; i < COUNT; i++)
    wrong += (double)d_x[i] != (double)p.d_y[i] * reference_activation_slope((double)p.x[i], HEED_FORM_RELU);
  CU_ASSERT_EQUAL(wrong, 0);
}

static void check_tanh(const heed_kernels *kernels) {
  problem p = make(kernels, HEED_FORM_GELU);
  double *want = test_doubles(COUNT);
  test_run(kernels, 2, tanh_of, &p);
  for (int64_t i = 0; i < COUNT; i++)
    want[i] = tanh((double)p.x[i]);
  float *y = test_values(kernels, p.d_x, COUNT);
  CU_ASSERT(test_is_bf16(kernels) ? test_error(y, want, COUNT) < 0x1p-8 + 1e-7 : worst(y, want) < 2.0);
  void *d_y = test_elements(kernels, p.d_y, COUNT), *d_x = test_unwritten(kernels, COUNT);
  kernels->tanh_backward(d_x, d_y, p.d_x, COUNT); /* backward reads y */
  for (int64_t i = 0; i < COUNT; i++)
    want[i] = (double)p.d_y[i] * (1.0 - (double)y[i] * (double)y[i]);
  CU_ASSERT(test_element_error(kernels, d_x, want, COUNT) < test_element_bound(kernels, 1e-7));
  kernels->tanh_backward(d_y, d_y, p.d_x, COUNT); /* in place */
  CU_ASSERT(memcmp(d_x, d_y, COUNT * kernels->element_bytes) == 0);
}

/* Numbers that bf16 has too, but for the last: bf16's products, as the processor makes them, take what is below the normal range for 0. */
static void check_edges(const heed_kernels *kernels) {
  float x[] = {INFINITY, -INFINITY, NAN, 0x1.FEp127f, -0x1.FEp127f, 0.0f, -0.0f, FLT_MIN, 1e-42f}, one[9];
  bool tiny = !test_is_bf16(kernels);
  for (int i = 0; i < 9; i++)
    one[i] = 1.0f;
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_GELU_TANH; form++) {
    problem p = make_of(kernels, x, one, tiny ? 9 : 8, form);
    test_run(kernels, 1, activation, &p);
    const float *y = p.y;
    CU_ASSERT(y[0] == INFINITY && y[1] == 0.0f && isnan(y[2]) && y[3] == x[3] && y[4] == 0.0f && y[5] == 0.0f);
    CU_ASSERT(y[7] == FLT_MIN / 2.0f && (!tiny || y[8] > 0.0f));
    test_run(kernels, 1, activation_backward, &p);
    y = test_values(kernels, p.d_x, p.count);
    CU_ASSERT(y[0] == 1.0f && y[1] == 0.0f && isnan(y[2]) && y[3] == 1.0f && y[4] == 0.0f && fabsf(y[5] - 0.5f) < 1e-6f);
  }
  problem p = make_of(kernels, x, one, tiny ? 9 : 8, HEED_FORM_RELU);
  test_run(kernels, 1, activation, &p);
  const float *y = p.y;
  CU_ASSERT(y[0] == INFINITY && y[1] == 0.0f && isnan(y[2]) && y[3] == x[3] && y[4] == 0.0f && (!tiny || y[8] == x[8]));
  activation_backward(kernels, &p, NULL);
  y = test_values(kernels, p.d_x, p.count);
  CU_ASSERT(y[0] == 1.0f && y[1] == 0.0f && y[5] == 0.0f && y[6] == 0.0f && (!tiny || y[8] == 1.0f));
  tanh_of(kernels, &p, NULL);
  y = test_values(kernels, p.d_x, p.count);
  CU_ASSERT(y[0] == 1.0f && y[1] == -1.0f && isnan(y[2]) && y[3] == 1.0f && y[4] == -1.0f && y[5] == 0.0f && y[7] == FLT_MIN);
  CU_ASSERT(signbit(y[6]) && (!tiny || y[8] == x[8]));
}

/* An element's bits do not depend on threads, place or count. */
static void check_bits(const heed_kernels *kernels) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
    problem p = make(kernels, form);
    CU_ASSERT(test_same_on_threads(kernels, activation, &p, p.y, COUNT));
    CU_ASSERT(test_same_elements_on_threads(kernels, activation_backward, &p, p.d_x, COUNT));
    problem part = p;
    part.elements = test_behind(kernels, p.elements, 3);
    part.d_y = p.d_y + 3;
    part.count = 1001;
    part.y = test_floats(1001);
    part.slopes = test_unwritten(kernels, 1001);
    part.d_x = test_unwritten(kernels, 1001);
    test_run(kernels, 1, activation, &part);
    CU_ASSERT(memcmp(part.y, p.y + 3, 1001 * sizeof(float)) == 0);
    test_run(kernels, 1, activation_backward, &part);
    CU_ASSERT(memcmp(part.d_x, test_behind(kernels, p.d_x, 3), 1001 * kernels->element_bytes) == 0);
  }
}

static double objective(const double *x, const void *data) {
  double sum = 0.0;
  for (int i = 0; i < 50; i++)
    sum += reference_activation(x[i], *(const heed_form *)data);
  return sum;
}

static void slopes(void) {
  for (heed_form form = HEED_FORM_GELU; form <= HEED_FORM_RELU; form++) {
    double x[50], slope[50];
    for (int i = 0; i < 50; i++) {
      x[i] = 4.0 * test_number(1, i); /* none within a step of ReLU's corner */
      slope[i] = reference_activation_slope(x[i], form);
    }
    CU_ASSERT(test_gradient_holds(objective, &form, x, slope, 50));
    slope[7] += 0.3;
    CU_ASSERT_FALSE(test_gradient_holds(objective, &form, x, slope, 50));
  }
  test_release();
}

static void gelu_forms(void) {
  test_each_element(check_gelu);
}
static void relu(void) {
  test_each_element(check_relu);
}
static void tanh_form(void) {
  test_each_element(check_tanh);
}
static void edges(void) {
  test_each_element(check_edges);
}
static void bits(void) {
  test_each_element(check_bits);
}

HEED_TESTS({"gelu, both forms, is that of the C library in double", gelu_forms}, {"relu exactly", relu},
           {"tanh likewise, within 2 ulp", tanh_form}, {"infinities, NaN, zeros and tiny numbers", edges},
           {"bits do not depend on threads or place", bits}, {"the twin's slopes fit differences", slopes})
