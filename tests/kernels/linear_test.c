/* Linear maps against the double twin, in sizes that leave remainders in every block, panel and step. */
#include "kernels/linear_fixture.h"
#include "reference/activation.h"
#include "reference/gradient_check.h"
#include "reference/linear.h"

/* Rows up to 64 go another way than more; 12, 16, 24 and 32 are the sizes of blocks, 192 and 256 rows a group of them; depth may go in
 * parts of 256. */
static const int64_t shapes[][3] = {{1, 1, 1},     {5, 17, 33},   {17, 5, 1},      {33, 100, 17},  {64, 33, 100},
                                    {65, 100, 33}, {100, 1, 17},  {24, 96, 64},    {130, 17, 5},   {96, 147, 301},
                                    {65, 32, 32},  {200, 31, 97}, {270, 290, 210}, {600, 300, 261}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/** Bound on the relative error of sums over `depth`: one sum in float from first to last, whose partial sums are rounded, 2⁻²⁴ each, in
 *  either direction: a walk of √depth steps. */
static double sum_bound(int64_t depth) {
  return fmax(1e-6, sqrt((double)depth) * 0x1p-24);
}

/** The error of a result that is floats or elements, in units of what it may be. */
static double off(const heed_kernels *kernels, const problem *p, const void *got, const double *want, int64_t count, double bound) {
  return p->wide ? test_error(got, want, count) / bound
                 : test_element_error(kernels, got, want, count) / test_element_bound(kernels, bound);
}

/** Forward and both gradients, plain and with the activation. */
static void check_products(const heed_kernels *kernels, problem *p) {
  int64_t in = p->rows * p->inputs, out = p->rows * p->outputs, all = p->outputs * p->inputs;
  double *x = test_widen(p->x, in), *w = test_widen(p->w, all), *bias = p->bias ? test_widen(p->bias, p->outputs) : NULL;
  double *d_y = test_widen(p->d_y, out), *y = test_doubles(out), *after = test_doubles(out), *d_x = test_doubles(in);
  double *slopes = test_doubles(out);
  double *d_before = test_doubles(in), *d_w = test_doubles(all), *d_bias = test_doubles(p->outputs);
  reference_linear_forward(y, x, w, bias, p->rows, p->inputs, p->outputs);
  reference_linear_backward(d_x, d_w, d_bias, d_y, x, w, p->rows, p->inputs, p->outputs);
  for (int64_t i = 0; i < out; i++) {
    after[i] = reference_activation(y[i], p->form);
    slopes[i] = reference_activation_slope(y[i], p->form);
  }
  for (int64_t i = 0; i < in; i++)
    d_before[i] = d_x[i] * (double)p->slopes_at[i];

  test_run(kernels, 2, forward, p);
  CU_ASSERT(off(kernels, p, p->y, y, out, sum_bound(p->inputs)) < 1.0);
  test_run(kernels, 2, activation_forward, p);
  CU_ASSERT(off(kernels, p, p->y, after, out, 3.0 * sum_bound(p->inputs)) < 1.0); /* it is smaller than y, its slope at most 1.13 */
  if (p->form != HEED_FORM_RELU)                                                  /* whose slope jumps */
    CU_ASSERT(test_element_error(kernels, p->slopes, slopes, out) < test_element_bound(kernels, 3.0 * sum_bound(p->inputs)));
  float *with = test_floats(out);
  memcpy(with, p->y, (size_t)out * (p->wide ? sizeof *with : kernels->element_bytes));
  void *kept = p->slopes;
  p->slopes = NULL; /* nobody wants them: the same values */
  test_run(kernels, 2, activation_forward, p);
  CU_ASSERT_EQUAL(memcmp(with, p->y, (size_t)out * (p->wide ? sizeof *with : kernels->element_bytes)), 0);
  p->slopes = kept;
  test_run(kernels, 2, backward_input, p);
  CU_ASSERT(off(kernels, p, p->d_x, d_x, in, sum_bound(p->outputs)) < 1.0);
  test_run(kernels, 2, backward_weight, p);
  CU_ASSERT(test_error(p->d_w, d_w, all) < sum_bound(p->rows));
  CU_ASSERT(test_error(p->d_bias, d_bias, p->outputs) < 1e-6);
  test_run(kernels, 2, activation_backward_input, p);
  CU_ASSERT(test_element_error(kernels, p->d_x, d_before, in) < test_element_bound(kernels, 2.0 * sum_bound(p->outputs)));
}

static void check_shapes(const heed_kernels *kernels) {
  for (int i = 0; i < 2 * SHAPES; i++) {
    int mark = test_pool_count;
    problem p = make_rows(kernels, shapes[i / 2][0], shapes[i / 2][1], shapes[i / 2][2]);
    p.wide = i % 2 == 1;
    p.form = (heed_form)(i / 2 % 3);
    if (i / 2 % 4 == 3)
      p.bias = NULL;
    check_products(kernels, &p);
    test_release_to(mark);
  }
}

/* More than one span of depth where results are floats, one in all where they are elements. */
static void check_deep(const heed_kernels *kernels) {
  for (int i = 0; i < 8; i++) {
    int mark = test_pool_count;
    problem p = make_rows(kernels, i & 1 ? 7 : 70, i & 2 ? 4110 : 19, i & 2 ? 19 : 4110);
    p.wide = (i & 4) != 0;
    check_products(kernels, &p);
    test_release_to(mark);
  }
}

/* Gradients of parameters are written over what is there; d_x is added to when asked, each span of depth. */
static void check_adding(const heed_kernels *kernels) {
  for (int64_t outputs = 301; outputs <= 4500; outputs += 4199)
    for (int64_t rows = 20; rows <= 90; rows += 70) {
      int mark = test_pool_count;
      problem p = make_rows(kernels, rows, 43, outputs);
      int64_t in = rows * p.inputs, all = outputs * p.inputs + outputs;
      p.wide = true;
      test_run(kernels, 2, backward_weight, &p);
      test_run(kernels, 2, backward_input, &p);
      float *once = test_floats(all);
      double *d_x = test_widen(p.d_x, in);
      memcpy(once, p.d_w, (size_t)all * sizeof *once);
      memset(p.d_w, 0xFF, (size_t)all * sizeof *once); /* NaN */
      for (int64_t i = 0; i < in; i++)
        d_x[i] += (double)(((float *)p.d_x)[i] = (float)test_number(6, i));
      p.add = true;
      test_run(kernels, 2, backward_weight, &p);
      test_run(kernels, 2, backward_input, &p);
      CU_ASSERT_EQUAL(memcmp(p.d_w, once, (size_t)all * sizeof *once), 0);
      CU_ASSERT(test_error(p.d_x, d_x, in) < sum_bound(outputs));
      float *bias = p.d_bias, first = bias[0] += 1.0f;
      p.d_bias = NULL; /* left alone */
      test_run(kernels, 2, backward_weight, &p);
      CU_ASSERT_EQUAL(memcmp(p.d_w, once, (size_t)(all - outputs) * sizeof *once), 0);
      CU_ASSERT(bias[0] == first);
      test_release_to(mark);
    }
}

/* Slices of many lengths, one of them empty, whose memory lies side by side. */
static void check_slices(const heed_kernels *kernels) {
  problem p = make_of(kernels, test_starts(12, 61), 12, 147, 101);
  p.wide = true;
  check_products(kernels, &p);
  int64_t *starts = test_memory(6, sizeof *starts), ends[] = {0, 300, 900, 900, 1157, 1200};
  memcpy(starts, ends, sizeof ends);
  p = make_of(kernels, starts, 5, 67, 290); /* longer than what is taken of depth at a time, and d_w of more than a few blocks */
  p.wide = true;
  check_products(kernels, &p);
}

/* A number that is none stays in its row, its column, and what is made of them. */
static void check_nan(const heed_kernels *kernels) {
  for (int64_t rows = 40; rows <= 80; rows += 40) {
    problem p = make_rows(kernels, rows, 37, 45);
    p.wide = true;
    float *x = memcpy(test_floats(rows * 37), p.x, (size_t)(rows * 37) * sizeof *x);
    x[3 * 37 + 36] = NAN;
    x[4 * 37 + 36] = INFINITY;
    p.x_elements = test_elements(kernels, x, rows * 37);
    test_run(kernels, 2, forward, &p);
    test_run(kernels, 2, backward_weight, &p);
    const float *y = p.y;
    int64_t wrong = 0;
    for (int64_t t = 0; t < rows; t++)
      for (int64_t o = 0; o < 45; o++)
        wrong += t == 3 ? !isnan(y[t * 45 + o]) : t == 4 ? !isinf(y[t * 45 + o]) : !isfinite(y[t * 45 + o]);
    for (int64_t o = 0; o < 45; o++)
      for (int64_t i = 0; i < 37; i++)
        wrong += i == 36 ? !isnan(p.d_w[o * 37 + i]) : !isfinite(p.d_w[o * 37 + i]);
    CU_ASSERT_EQUAL(wrong, 0);
  }
}

/* No rows: nothing is written, nothing added. */
static void check_none(const heed_kernels *kernels) {
  problem p = make_rows(kernels, 0, 20, 30);
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, activation_forward, &p);
  test_run(kernels, 2, backward_input, &p);
  test_run(kernels, 2, backward_weight, &p);
  for (int64_t i = 0; i < 20 * 30 + 30; i++)
    CU_ASSERT_FATAL(p.d_w[i] == 0.0f);
}

/* A test of the test: an error of one element in 14,112 by its sign, and weights turned the wrong way, must be found out. */
static void check_broken(const heed_kernels *kernels) {
  problem p = make_rows(kernels, 96, 147, 147);
  int64_t out = 96 * 147;
  double *y = test_doubles(out), *x = test_widen(p.x, out), *w = test_widen(p.w, 147 * 147), *turned = test_doubles(147 * 147);
  p.wide = true;
  p.bias = NULL;
  test_run(kernels, 2, forward, &p);
  for (int64_t i = 0; i < 147 * 147; i++)
    turned[i] = w[i % 147 * 147 + i / 147];
  reference_linear_forward(y, x, turned, NULL, 96, 147, 147);
  CU_ASSERT_FALSE(off(kernels, &p, p.y, y, out, sum_bound(147)) < 1.0);
  reference_linear_forward(y, x, w, NULL, 96, 147, 147);
  CU_ASSERT(off(kernels, &p, p.y, y, out, sum_bound(147)) < 1.0);
  y[77] = -y[77];
  CU_ASSERT_FALSE(off(kernels, &p, p.y, y, out, sum_bound(147)) < 1.0);
}

static void twin(void) {
  test_each_element(check_shapes);
}
static void deep(void) {
  test_width = 4500;
  test_each_element(check_deep);
  test_width = 512;
}
static void adding(void) {
  test_each_element(check_adding);
}
static void slices(void) {
  test_each_element(check_slices);
}
static void not_a_number(void) {
  test_each_element(check_nan);
}
static void none(void) {
  test_each_element(check_none);
}
static void broken(void) {
  test_each_element(check_broken);
}

HEED_TESTS({"results are those of the double twin", twin}, {"in spans of depth too", deep},
           {"gradients of parameters are written, those of inputs added when asked", adding}, {"slices of all lengths", slices},
           {"NaN and infinity stay where they belong", not_a_number}, {"no rows", none}, {"what is wrong is found out", broken})
