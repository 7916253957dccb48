/* Linear layers: what they register, and that query, key and value are one product on one block. */
#include "layers/linear.h"

#include "layers/layer_test.h"
#include "reference/linear.h"

enum { PARTS = 3, PART = 16, OUTPUTS = PARTS * PART };
static const char *const names[PARTS] = {"query", "key", "value"};
static const heed_linear_spec part = {LAYER_WIDTH, PART, 0.02, true, HEED_SPLIT_NOTHING, 1},
                              bare = {LAYER_WIDTH, PART, 0.02, false, HEED_SPLIT_NOTHING, 1};

static void weights_come_before_biases(void) {
  static const layer_tensor want[] = {{"first.weight", PART, LAYER_WIDTH},
                                      {"first.bias", PART, 0},
                                      {"query.weight", PART, LAYER_WIDTH},
                                      {"key.weight", PART, LAYER_WIDTH},
                                      {"value.weight", PART, LAYER_WIDTH},
                                      {"query.bias", PART, 0},
                                      {"key.bias", PART, 0},
                                      {"value.bias", PART, 0}};
  static const char *const first[1] = {"first"};
  layer_fixture f;
  heed_linear before, linear;
  layer_begin(&f, true);
  CU_ASSERT_EQUAL(heed_linear_plan(&before, &f.plan, first, 1, &part), HEED_OK);
  CU_ASSERT_EQUAL(heed_linear_plan(&linear, &f.plan, names, PARTS, &part), HEED_OK);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(linear.inputs, LAYER_WIDTH);
  CU_ASSERT_EQUAL(linear.outputs, OUTPUTS);
  CU_ASSERT_EQUAL(linear.weight, f.table.items[2].offset);
  CU_ASSERT_EQUAL(linear.bias, f.table.items[5].offset);
  CU_ASSERT_EQUAL(f.arena.peak, 0); /* input and output are the caller's */
  CU_ASSERT_EQUAL(heed_linear_plan(&linear, &f.plan, names, PARTS, &part), HEED_INVALID);
  layer_end(&f);
}

static void make(layer_fixture *f, heed_linear *linear, const heed_linear_spec *spec) {
  layer_begin(f, true);
  CU_ASSERT_EQUAL_FATAL(heed_linear_plan(linear, &f->plan, names, PARTS, spec), HEED_OK);
  layer_commit(f);
}

/* Each part by itself in double, put side by side. */
static void parts_are_one_product(void) {
  layer_fixture f;
  heed_linear linear;
  make(&f, &linear, &part);
  float *x = test_random(LAYER_TOKENS * LAYER_WIDTH, 3, 1.0), *y = test_floats(LAYER_TOKENS * OUTPUTS);
  double *wide_x = test_widen(x, LAYER_TOKENS * LAYER_WIDTH), *want = test_doubles(LAYER_TOKENS * OUTPUTS),
         *one = test_doubles(LAYER_TOKENS * PART);
  for (int64_t i = 0; i < PARTS; i++) {
    const heed_parameter *weight = &f.table.items[i], *bias = &f.table.items[PARTS + i];
    reference_linear_forward(one, wide_x, f.wide_parameters + weight->offset, f.wide_parameters + bias->offset, LAYER_TOKENS, LAYER_WIDTH,
                             PART);
    for (int64_t t = 0; t < LAYER_TOKENS; t++)
      memcpy(want + t * OUTPUTS + i * PART, one + t * PART, PART * sizeof *one);
  }
#pragma omp parallel
  heed_linear_forward(&f.context, y, true, x, &linear, heed_token_rows(&f.context));
  CU_ASSERT(test_error(y, want, LAYER_TOKENS * OUTPUTS) < layer_bound);
  layer_end(&f);
}

static void backward(bool add, const heed_linear_spec *spec) {
  layer_fixture f;
  heed_linear linear;
  make(&f, &linear, spec);
  int64_t inputs = LAYER_TOKENS * LAYER_WIDTH, outputs = LAYER_TOKENS * OUTPUTS;
  float *x = test_random(inputs, 3, 1.0), *d_y = test_random(outputs, 4, 1.0), *d_x = test_random(inputs, 5, 1.0);
  double *want = test_doubles(inputs), *before = test_widen(d_x, inputs);
  reference_linear_backward(want, f.wide_gradients + linear.weight, layer_gradient(&f, linear.bias), test_widen(d_y, outputs),
                            test_widen(x, inputs), f.wide_parameters + linear.weight, LAYER_TOKENS, LAYER_WIDTH, OUTPUTS);
  for (int64_t i = 0; add && i < inputs; i++)
    want[i] += before[i];
#pragma omp parallel
  {
    heed_linear_backward_input(&f.context, d_x, true, add, d_y, &linear, heed_token_rows(&f.context));
    heed_linear_backward_weight(&f.context, d_y, x, &linear, heed_token_rows(&f.context));
  }
  CU_ASSERT(test_error(d_x, want, inputs) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  f.gradients[f.table.total - 1] += 0.1f; /* the test of the test */
  CU_ASSERT_FALSE(layer_gradients_fit(&f));
  layer_end(&f);
}

static void backward_writes(void) {
  backward(false, &part);
}
static void backward_adds(void) {
  backward(true, &part);
}

static void without_a_bias(void) {
  static const layer_tensor want[] = {
      {"query.weight", PART, LAYER_WIDTH}, {"key.weight", PART, LAYER_WIDTH}, {"value.weight", PART, LAYER_WIDTH}};
  layer_fixture f;
  heed_linear linear;
  make(&f, &linear, &bare);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(linear.bias, -1);
  float *x = test_random(LAYER_TOKENS * LAYER_WIDTH, 3, 1.0), *y = test_floats(LAYER_TOKENS * OUTPUTS);
  double *want_y = test_doubles(LAYER_TOKENS * OUTPUTS);
  reference_linear_forward(want_y, test_widen(x, LAYER_TOKENS * LAYER_WIDTH), f.wide_parameters, NULL, LAYER_TOKENS, LAYER_WIDTH, OUTPUTS);
#pragma omp parallel
  heed_linear_forward(&f.context, y, true, x, &linear, heed_token_rows(&f.context));
  CU_ASSERT(test_error(y, want_y, LAYER_TOKENS * OUTPUTS) < layer_bound);
  layer_end(&f);
  backward(true, &bare);
}

HEED_TESTS({"weights come before biases", weights_come_before_biases}, {"parts are one product", parts_are_one_product},
           {"backward writes the input's gradient", backward_writes}, {"or adds to it", backward_adds}, {"without a bias", without_a_bias})
