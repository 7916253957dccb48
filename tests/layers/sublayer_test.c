/* A sublayer around a body of the test's own, f(x) = 2x + b: residual, dropout, normalisation, and what shares memory. */
#include "layers/sublayer.h"

#include "layers/layer_test.h"
#include "reference/dropout.h"
#include "reference/layer_norm.h"

enum { C = LAYER_WIDTH, COUNT = LAYER_TOKENS * LAYER_WIDTH, SAVED = 3 * COUNT, WORK = 2 * COUNT, STACK = 4 };

/* The body uses the union's attention for its places: `qkv` is saved, `d_qkv` is backward's, `heads` the offset of b. */
static heed_status double_plan(heed_body *body, heed_plan *plan, const heed_model_config *config, const char *prefix) {
  heed_parameter bias = {.rank = 1, .shape = {config->hidden}, .initialisation = HEED_INIT_ZEROS, .shard_axis = -1};
  snprintf(bias.name, sizeof bias.name, "%sdouble.bias", prefix);
  *body = (heed_body){.attention.heads = plan->table->total};
  body->attention.qkv = heed_arena_reserve(plan->arena, SAVED, sizeof(float));
  return heed_parameters_add(plan->table, &bias, NULL);
}
static void double_plan_backward(heed_body *body, heed_plan *plan) {
  body->attention.d_qkv = heed_arena_reserve(plan->arena, WORK, sizeof(float));
}
static void double_forward(const heed_context *context, float *y, const float *x, const heed_body *body) {
  const float *bias = context->parameters + body->attention.heads;
  float *saved = heed_buffer(context, body->attention.qkv);
#pragma omp for
  for (int64_t i = 0; i < SAVED; i++)
    saved[i] = 3; /* all that it reserved is its own */
#pragma omp for
  for (int64_t i = 0; i < COUNT; i++)
    y[i] = 2 * x[i] + bias[i % C];
}
static void double_backward(const heed_context *context, float *d_x, const float *d_y, const float *x, const heed_body *body) {
  float *gradient = context->gradients + body->attention.heads, *work = heed_buffer(context, body->attention.d_qkv);
  (void)x;
#pragma omp for
  for (int64_t i = 0; i < WORK; i++)
    work[i] = 5;
#pragma omp single
  for (int64_t i = 0; i < COUNT; i++)
    gradient[i % C] += d_y[i];
#pragma omp for
  for (int64_t i = 0; i < COUNT; i++)
    d_x[i] += 2 * d_y[i];
}
static const heed_body_operations double_body = {double_plan, double_plan_backward, double_forward, double_backward};

static void plan_stack(layer_fixture *f, heed_sublayer *stack, int64_t count, bool training) {
  layer_begin(f, training);
  for (int64_t i = 0; i < count; i++) {
    char prefix[32], norm[64];
    snprintf(prefix, sizeof prefix, "layer.%d.", (int)i);
    snprintf(norm, sizeof norm, "%soutput.LayerNorm", prefix);
    CU_ASSERT_EQUAL_FATAL(heed_sublayer_plan(&stack[i], &f->plan, &double_body, &f->config, prefix, norm), HEED_OK);
  }
}

static void the_body_comes_before_its_norm(void) {
  static const layer_tensor want[] = {
      {"layer.0.double.bias", C, 0}, {"layer.0.output.LayerNorm.weight", C, 0}, {"layer.0.output.LayerNorm.bias", C, 0},
      {"layer.1.double.bias", C, 0}, {"layer.1.output.LayerNorm.weight", C, 0}, {"layer.1.output.LayerNorm.bias", C, 0}};
  layer_fixture f;
  heed_sublayer stack[STACK];
  plan_stack(&f, stack, 2, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(stack[0].site, 0);
  CU_ASSERT_EQUAL(stack[1].site, 1); /* no two dropouts draw the same numbers */
  layer_end(&f);
}

/* Bytes that `count` sublayers take. */
static size_t bytes_of(int64_t count, bool training) {
  layer_fixture f;
  heed_sublayer stack[STACK];
  plan_stack(&f, stack, count, training);
  size_t bytes = f.arena.peak;
  layer_end(&f);
  return bytes;
}

static void what_is_dead_shares_memory(void) {
  size_t out = COUNT * sizeof(float), body = SAVED * sizeof(float), work = WORK * sizeof(float);
  size_t moments = 2 * ((LAYER_TOKENS * sizeof(float) + 63) / 64 * 64);
  CU_ASSERT_EQUAL_FATAL(out % 64, 32);
  out += 32; /* pieces begin at multiples of 64 bytes */
  body += body % 64 ? 64 - body % 64 : 0;
  /* Outside training another sublayer costs its output; in training all that it saves, but nothing of what backward works on. */
  CU_ASSERT_EQUAL(bytes_of(1, false), out + body + moments + out);
  CU_ASSERT_EQUAL(bytes_of(STACK, false) - bytes_of(1, false), (STACK - 1) * out);
  CU_ASSERT_EQUAL(bytes_of(1, true), bytes_of(1, false) + out + work);
  CU_ASSERT_EQUAL(bytes_of(STACK, true) - bytes_of(1, true), (STACK - 1) * (out + body + moments + out));
}

/* out = layer_norm(x + dropout(2x + b)), token by token in double; `sum` is kept for backward. */
static void twin_forward(const layer_fixture *f, const heed_sublayer *s, double *out, double *sum, double *factor, const double *x) {
  const heed_stream *stream = &f->batch.stream;
  heed_dropout dropout = {16384, (float)(4.0 / 3.0), f->context.seed, f->batch.data_position, s->site, (uint32_t)f->batch.first_row};
  for (int64_t t = 0; t < LAYER_TOKENS; t++)
    for (int64_t c = 0; c < C; c++) {
      int64_t b = stream->sequence_of[t], i = t * C + c;
      factor[i] = f->context.training ? reference_dropout_factor(&dropout, b, 0, (t - stream->offsets[b]) * C + c) : 1.0;
      sum[i] = x[i] + factor[i] * (2 * x[i] + f->wide_parameters[s->body.attention.heads + c]);
    }
  reference_layer_norm_forward(out, sum, f->wide_parameters + s->norm.gamma, f->wide_parameters + s->norm.beta, LAYER_TOKENS, C, 1e-5);
}

/* Turns the output's gradient into the input's. */
static void twin_backward(layer_fixture *f, const heed_sublayer *s, double *gradient, const double *sum, const double *factor) {
  double *d_sum = test_doubles(COUNT);
  reference_layer_norm_backward(d_sum, f->wide_gradients + s->norm.gamma, f->wide_gradients + s->norm.beta, gradient, sum,
                                f->wide_parameters + s->norm.gamma, LAYER_TOKENS, C, 1e-5);
  for (int64_t i = 0; i < COUNT; i++) {
    f->wide_gradients[s->body.attention.heads + i % C] += factor[i] * d_sum[i];
    gradient[i] = d_sum[i] + 2 * factor[i] * d_sum[i];
  }
}

/* A stack, so that buffers that share memory are used one after the other. */
static void a_stack_equals_its_twin(void) {
  layer_fixture f;
  heed_sublayer stack[STACK];
  plan_stack(&f, stack, STACK, true);
  layer_commit(&f);
  const float *x[STACK + 1] = {test_random(COUNT, 3, 1.0)};
  double *wide[STACK + 1] = {test_widen(x[0], COUNT)}, *sum[STACK], *factor[STACK];
  for (int i = 0; i < STACK; i++) {
    wide[i + 1] = test_doubles(COUNT);
    sum[i] = test_doubles(COUNT);
    factor[i] = test_doubles(COUNT);
    x[i + 1] = heed_sublayer_forward(&f.context, x[i], &stack[i]);
    CU_ASSERT_PTR_EQUAL(x[i + 1], heed_buffer(&f.context, stack[i].out));
    twin_forward(&f, &stack[i], wide[i + 1], sum[i], factor[i], wide[i]);
  }
  CU_ASSERT(test_error(x[STACK], wide[STACK], COUNT) < layer_bound);
  float *gradient = test_random(COUNT, 4, 1.0);
  double *wide_gradient = test_widen(gradient, COUNT);
  for (int i = STACK - 1; i >= 0; i--) {
    heed_sublayer_backward(&f.context, gradient, x[i], &stack[i]);
    twin_backward(&f, &stack[i], wide_gradient, sum[i], factor[i]);
  }
  CU_ASSERT(test_error(gradient, wide_gradient, COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  layer_end(&f);
}

static void has_no_dropout_outside_training(void) {
  layer_fixture f;
  heed_sublayer stack[STACK];
  plan_stack(&f, stack, STACK, false);
  layer_commit(&f);
  const float *x = test_random(COUNT, 3, 1.0);
  double *wide = test_widen(x, COUNT), *sum = test_doubles(COUNT), *factor = test_doubles(COUNT);
  for (int i = 0; i < STACK; i++) {
    double *next = test_doubles(COUNT);
    x = heed_sublayer_forward(&f.context, x, &stack[i]);
    twin_forward(&f, &stack[i], next, sum, factor, wide);
    wide = next;
  }
  CU_ASSERT(test_error(x, wide, COUNT) < layer_bound);
  layer_end(&f);
}

HEED_TESTS({"the body comes before its norm", the_body_comes_before_its_norm}, {"what is dead shares memory", what_is_dead_shares_memory},
           {"a stack equals its twin", a_stack_equals_its_twin}, {"has no dropout outside training", has_no_dropout_outside_training})
