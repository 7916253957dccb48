/* The feed-forward body against its parts in double, with both forms of GELU. */
#include "layers/feed_forward.h"

#include "layers/body.h"
#include "layers/layer_test.h"
#include "reference/activation.h"
#include "reference/linear.h"

enum { COUNT = LAYER_TOKENS * LAYER_WIDTH, INNER = LAYER_TOKENS * LAYER_INNER };

static void make(layer_fixture *f, heed_body *body, bool training) {
  layer_begin(f, training);
  CU_ASSERT_EQUAL_FATAL(heed_feed_forward_body.plan(body, &f->plan, &f->config, "layer.0."), HEED_OK);
}

static void names_are_hugging_faces(void) {
  static const layer_tensor want[] = {{"layer.0.intermediate.dense.weight", LAYER_INNER, LAYER_WIDTH},
                                      {"layer.0.intermediate.dense.bias", LAYER_INNER, 0},
                                      {"layer.0.output.dense.weight", LAYER_WIDTH, LAYER_INNER},
                                      {"layer.0.output.dense.bias", LAYER_WIDTH, 0}};
  layer_fixture f;
  heed_body body;
  make(&f, &body, false);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT(f.arena.peak >= 2 * INNER * sizeof(float));
  CU_ASSERT_EQUAL(f.plan.next_site, 0); /* it has no dropout of its own */
  layer_end(&f);
}

static void check(heed_activation activation) {
  layer_fixture f;
  heed_body body;
  layer_begin(&f, true);
  f.config.activation = activation;
  CU_ASSERT_EQUAL_FATAL(heed_feed_forward_body.plan(&body, &f.plan, &f.config, ""), HEED_OK);
  heed_feed_forward_body.plan_backward(&body, &f.plan);
  layer_commit(&f);
  const heed_linear *up = &body.feed_forward.up, *down = &body.feed_forward.down;
  const double *p = f.wide_parameters;
  double *g = f.wide_gradients;
  bool tanh_form = activation == HEED_GELU_TANH;
  float *x = test_random(COUNT, 3, 1.0), *d_y = test_random(COUNT, 4, 1.0), *d_x = test_random(COUNT, 5, 1.0), *y = test_floats(COUNT);
  double *wide_x = test_widen(x, COUNT), *before = test_doubles(INNER), *after = test_doubles(INNER), *d_inner = test_doubles(INNER),
         *want = test_doubles(COUNT), *want_d = test_doubles(COUNT), *d_before = test_widen(d_x, COUNT);

  reference_linear_forward(before, wide_x, p + up->weight, p + up->bias, LAYER_TOKENS, LAYER_WIDTH, LAYER_INNER);
  for (int64_t i = 0; i < INNER; i++)
    after[i] = reference_gelu(before[i], tanh_form);
  reference_linear_forward(want, after, p + down->weight, p + down->bias, LAYER_TOKENS, LAYER_INNER, LAYER_WIDTH);
  reference_linear_backward(d_inner, g + down->weight, g + down->bias, test_widen(d_y, COUNT), after, p + down->weight, LAYER_TOKENS,
                            LAYER_INNER, LAYER_WIDTH);
  for (int64_t i = 0; i < INNER; i++)
    d_inner[i] *= reference_gelu_slope(before[i], tanh_form);
  reference_linear_backward(want_d, g + up->weight, g + up->bias, d_inner, wide_x, p + up->weight, LAYER_TOKENS, LAYER_WIDTH, LAYER_INNER);
  for (int64_t i = 0; i < COUNT; i++)
    want_d[i] += d_before[i];

#pragma omp parallel
  {
    heed_feed_forward_body.forward(&f.context, y, x, &body);
    heed_feed_forward_body.backward(&f.context, d_x, d_y, x, &body);
  }
  CU_ASSERT(test_error(y, want, COUNT) < layer_bound);
  CU_ASSERT(test_error(d_x, want_d, COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  layer_end(&f);
}

static void with_erf(void) {
  check(HEED_GELU);
}
static void with_tanh(void) {
  check(HEED_GELU_TANH);
}

HEED_TESTS({"names are Hugging Face's", names_are_hugging_faces}, {"equals its twin with erf", with_erf}, {"and with tanh", with_tanh})
