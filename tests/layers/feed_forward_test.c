/* The feed-forward body against its parts in double: each activation, plain and gated. */
#include "layers/feed_forward.h"

#include "layers/body.h"
#include "layers/layer_test.h"
#include "reference/activation.h"
#include "reference/linear.h"

enum { C = LAYER_WIDTH, F = LAYER_INNER, COUNT = LAYER_TOKENS * C, INNER = LAYER_TOKENS * F };

static const char *const names[HEED_BODY_NAMES] = {"intermediate.dense", "output.dense"};

static void make(layer_fixture *f, heed_body *body, heed_activation activation, bool biases, bool training) {
  layer_begin(f, training);
  f->config.activation = activation;
  f->config.biases = biases;
  heed_body_spec spec = {.config = &f->config, .prefix = "layer.0.", .names = names, .residual_deviation = 0.02};
  CU_ASSERT_EQUAL_FATAL(heed_feed_forward_body.plan(body, &f->plan, &spec), HEED_OK);
  heed_feed_forward_body.plan_forward(body, &f->plan);
  if (training)
    heed_feed_forward_body.plan_backward(body, &f->plan);
}

static void names_are_hugging_faces(void) {
  static const layer_tensor want[] = {{"layer.0.intermediate.dense.weight", F, C},
                                      {"layer.0.intermediate.dense.bias", F, 0},
                                      {"layer.0.output.dense.weight", C, F},
                                      {"layer.0.output.dense.bias", C, 0}};
  layer_fixture f;
  heed_body body;
  make(&f, &body, HEED_GELU, true, false);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT(f.arena.peak >= INNER * sizeof(float) && f.arena.peak < 2 * INNER * sizeof(float)); /* slopes are for backward */
  CU_ASSERT_EQUAL(f.plan.next_site, 0);                                                         /* it has no dropout of its own */
  layer_end(&f);
}

static void a_gate_is_the_second_half_of_the_first_map(void) {
  static const layer_tensor want[] = {{"layer.0.intermediate.dense.weight", 2 * F, C}, {"layer.0.output.dense.weight", C, F}};
  layer_fixture f;
  heed_body body;
  make(&f, &body, HEED_GEGLU, false, false);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT(f.arena.peak >= 3 * INNER * sizeof(float));
  layer_end(&f);
}

typedef struct activation {
  heed_form form;
  bool gated;
} activation;

static const activation activations[] = {
    [HEED_GELU] = {HEED_FORM_GELU, false}, [HEED_GELU_TANH] = {HEED_FORM_GELU_TANH, false}, [HEED_RELU] = {HEED_FORM_RELU, false},
    [HEED_GEGLU] = {HEED_FORM_GELU, true}, [HEED_GEGLU_TANH] = {HEED_FORM_GELU_TANH, true}, [HEED_REGLU] = {HEED_FORM_RELU, true}};

typedef struct twin {
  int64_t inner; /* outputs of the first map */
  double *before, *after, *y;
} twin;

static twin twin_forward(const layer_fixture *f, const heed_feed_forward *body, const activation *a, const double *x) {
  twin w = {a->gated ? 2 * F : F, test_doubles(2 * INNER), test_doubles(INNER), test_doubles(COUNT)};
  reference_linear_forward(w.before, x, layer_weights(f, body->up.weight), layer_weights(f, body->up.bias), LAYER_TOKENS, C, w.inner);
  for (int64_t i = 0; i < INNER && !a->gated; i++)
    w.after[i] = reference_activation(w.before[i], a->form);
  if (a->gated)
    reference_gated_forward(w.after, w.before, LAYER_TOKENS, F, a->form);
  reference_linear_forward(w.y, w.after, layer_weights(f, body->down.weight), layer_weights(f, body->down.bias), LAYER_TOKENS, F, C);
  return w;
}

/* d_x is written; the gradients of the parameters are added to. */
static void twin_backward(const layer_fixture *f, const heed_feed_forward *body, const activation *a, const twin *w, double *d_x,
                          const double *d_y, const double *x) {
  double *d_after = test_doubles(INNER), *d_before = test_doubles(2 * INNER);
  reference_linear_backward(d_after, layer_gradient(f, body->down.weight), layer_gradient(f, body->down.bias), d_y, w->after,
                            layer_weights(f, body->down.weight), LAYER_TOKENS, F, C);
  for (int64_t i = 0; i < INNER && !a->gated; i++)
    d_before[i] = d_after[i] * reference_activation_slope(w->before[i], a->form);
  if (a->gated)
    reference_gated_backward(d_before, d_after, w->before, LAYER_TOKENS, F, a->form);
  reference_linear_backward(d_x, layer_gradient(f, body->up.weight), layer_gradient(f, body->up.bias), d_before, x,
                            layer_weights(f, body->up.weight), LAYER_TOKENS, C, w->inner);
}

static void check(heed_activation which, bool biases) {
  layer_fixture f;
  heed_body body;
  make(&f, &body, which, biases, true);
  layer_commit(&f);
  const activation *a = &activations[which], *other = &activations[(which + 2) % 6];
  float *x = test_random(COUNT, 3, 1.0), *d_y = test_random(COUNT, 4, 1.0), *d_x = test_random(COUNT, 5, 1.0), *y = test_floats(COUNT);
  double *wide_x = test_widen(x, COUNT), *want_d = test_doubles(COUNT), *d_before = test_widen(d_x, COUNT);
  twin w = twin_forward(&f, &body.feed_forward, a, wide_x);
  twin_backward(&f, &body.feed_forward, a, &w, want_d, test_widen(d_y, COUNT), wide_x);
  for (int64_t i = 0; i < COUNT; i++)
    want_d[i] += d_before[i];
  heed_residual r = layer_bare(&f.batch.stream, y);
#pragma omp parallel
  {
    heed_feed_forward_body.forward(&f.context, &r, x, &body);
    heed_feed_forward_body.backward(&f.context, d_x, true, d_y, x, &body);
  }
  CU_ASSERT(test_error(y, w.y, COUNT) < layer_bound);
  CU_ASSERT(test_error(d_x, want_d, COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  if (a->gated == other->gated) /* the test of the test */
    CU_ASSERT(test_error(y, twin_forward(&f, &body.feed_forward, other, wide_x).y, COUNT) > 1e-4);
  layer_end(&f);
}

static void with_erf(void) {
  check(HEED_GELU, true);
}
static void with_tanh(void) {
  check(HEED_GELU_TANH, true);
}
static void with_relu(void) {
  check(HEED_RELU, true);
}
static void gated_with_erf(void) {
  check(HEED_GEGLU, true);
}
static void gated_with_tanh(void) {
  check(HEED_GEGLU_TANH, true);
}
static void gated_with_relu(void) {
  check(HEED_REGLU, true);
}
static void without_biases(void) {
  check(HEED_RELU, false);
  check(HEED_GEGLU, false);
}

HEED_TESTS({"names are Hugging Face's", names_are_hugging_faces},
           {"a gate is the second half of the first map", a_gate_is_the_second_half_of_the_first_map},
           {"equals its twin with erf", with_erf}, {"with tanh", with_tanh}, {"with ReLU", with_relu}, {"gated with erf", gated_with_erf},
           {"gated with tanh", gated_with_tanh}, {"gated with ReLU", gated_with_relu}, {"without biases", without_biases})
