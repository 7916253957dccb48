/* Layer normalisation as a layer: what it registers, whose rows it takes, and that the gradient may stay in its place. */
#include "layers/layer_norm.h"

#include "layers/layer_test.h"
#include "reference/layer_norm.h"

static void make(layer_fixture *f, heed_layer_norm *norm, int64_t rows, bool biases) {
  layer_begin(f, true);
  f->config.biases = biases;
  CU_ASSERT_EQUAL_FATAL(heed_layer_norm_plan(norm, &f->plan, "output.LayerNorm", &f->config, rows), HEED_OK);
}

static void gain_and_shift_are_registered(void) {
  static const layer_tensor want[] = {{"output.LayerNorm.weight", LAYER_WIDTH, 0}, {"output.LayerNorm.bias", LAYER_WIDTH, 0}};
  layer_fixture f;
  heed_layer_norm norm;
  make(&f, &norm, LAYER_TOKENS, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(norm.gamma, 0);
  CU_ASSERT_EQUAL(norm.beta, LAYER_WIDTH);
  CU_ASSERT_EQUAL(norm.epsilon, 1e-5f);
  CU_ASSERT(norm.rstd >= norm.mean + LAYER_TOKENS * sizeof(float));
  CU_ASSERT_EQUAL(heed_layer_norm_plan(&norm, &f.plan, "output.LayerNorm", &f.config, 1), HEED_INVALID);
  layer_end(&f);
}

static void without_biases_there_is_no_shift(void) {
  static const layer_tensor want[] = {{"output.LayerNorm.weight", LAYER_WIDTH, 0}};
  layer_fixture f;
  heed_layer_norm norm;
  make(&f, &norm, LAYER_TOKENS, false);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(norm.beta, -1);
  layer_end(&f);
}

static void check(int64_t rows_count, bool biases, heed_rows (*rows_of)(const heed_context *)) {
  layer_fixture f;
  heed_layer_norm norm;
  make(&f, &norm, rows_count, biases);
  layer_commit(&f);
  int64_t count = rows_count * LAYER_WIDTH;
  float *x = test_random(count, 3, 2.0), *d = test_random(count, 4, 1.0), *y = test_floats(count + 1);
  double *wide_x = test_widen(x, count), *wide_d = test_widen(d, count), *want = test_doubles(count), *d_x = test_doubles(count);
  const double *gamma = f.wide_parameters + norm.gamma;
  heed_rows rows = rows_of(&f.context);
  CU_ASSERT_EQUAL_FATAL(rows.starts[rows.slices], rows_count);
  reference_layer_norm_forward(want, wide_x, gamma, layer_weights(&f, norm.beta), rows_count, LAYER_WIDTH, 1e-5);
  reference_layer_norm_backward(d_x, f.wide_gradients + norm.gamma, layer_gradient(&f, norm.beta), wide_d, wide_x, gamma, rows_count,
                                LAYER_WIDTH, 1e-5);
  y[count] = 42;
#pragma omp parallel
  {
    heed_layer_norm_forward(&f.context, y, NULL, x, &norm, rows);
    heed_layer_norm_backward(&f.context, d, false, d, x, &norm, rows); /* in the place of d_y */
  }
  CU_ASSERT(test_error(y, want, count) < layer_bound);
  CU_ASSERT_EQUAL(y[count], 42);
  CU_ASSERT(test_error(d, d_x, count) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  layer_end(&f);
}

static void over_tokens(void) {
  check(LAYER_TOKENS, true, heed_token_rows);
}
static void over_targets(void) {
  check(LAYER_TARGETS, true, heed_target_rows);
}
static void over_sequences(void) {
  check(LAYER_ROWS, true, heed_sequence_rows);
}

static void without_a_shift(void) {
  check(LAYER_TOKENS, false, heed_token_rows);
}

HEED_TESTS({"gain and shift are registered", gain_and_shift_are_registered},
           {"without biases there is no shift", without_biases_there_is_no_shift}, {"equals its twin over tokens", over_tokens},
           {"over targets", over_targets}, {"over sequences", over_sequences}, {"without a shift", without_a_shift})
