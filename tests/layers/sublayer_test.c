/* A sublayer around a body of the test's own, f(x) = 2x + b: residual, dropout, normalisation, and what shares memory. */
#include "layers/block.h"
#include "layers/layer_test.h"
#include "reference/dropout.h"
#include "reference/layer_norm.h"

enum { C = LAYER_WIDTH, COUNT = LAYER_TOKENS * LAYER_WIDTH, SAVED = 3 * COUNT, WORK = 2 * COUNT, STACK = 4 };

/* The body uses the union's attention for its places: `queries` is saved, `d_queries` is backward's, `heads` the offset of b. */
static heed_status double_plan(heed_body *body, heed_plan *plan, const heed_body_spec *spec) {
  heed_parameter bias = {.rank = 1, .shape = {spec->config->hidden}, .initialisation = HEED_INIT_ZEROS, .shard_axis = -1};
  snprintf(bias.name, sizeof bias.name, "%sdouble.bias", spec->prefix);
  *body = (heed_body){.attention.heads = plan->table->total};
  return heed_parameters_add(plan->table, &bias, NULL);
}
static void double_plan_forward(heed_body *body, heed_plan *plan) {
  body->attention.queries = heed_arena_reserve(plan->arena, SAVED, sizeof(float));
}
static void double_plan_backward(heed_body *body, heed_plan *plan) {
  body->attention.d_queries = heed_arena_reserve(plan->arena, WORK, sizeof(float));
}
static void double_forward(const heed_context *context, const heed_residual *r, const void *elements, const heed_body *body) {
  const float *x = elements;
  const float *bias = context->parameters + body->attention.heads;
  float *saved = heed_buffer(context, body->attention.queries);
#pragma omp for
  for (int64_t i = 0; i < SAVED; i++)
    saved[i] = 3; /* all that it reserved is its own */
#pragma omp for
  for (int64_t i = 0; i < COUNT; i++)
    r->sum[i] = 2 * x[i] + bias[i % C];
  context->kernels->residual_forward(r, LAYER_TOKENS, C);
}
static void double_backward(const heed_context *context, float *d_x, bool add, const void *elements, const void *x, const heed_body *body) {
  const float *d_y = elements;
  float *gradient = context->gradients + body->attention.heads, *work = heed_buffer(context, body->attention.d_queries);
  (void)x;
#pragma omp for
  for (int64_t i = 0; i < WORK; i++)
    work[i] = 5;
#pragma omp single
  for (int64_t i = 0; i < COUNT; i++)
    gradient[i % C] = (i < C ? 0 : gradient[i % C]) + d_y[i];
#pragma omp for
  for (int64_t i = 0; i < COUNT; i++)
    d_x[i] = (add ? d_x[i] : 0) + 2 * d_y[i];
}
static const heed_body_operations double_body = {double_plan,    double_plan_forward, double_plan_backward,
                                                 double_forward, double_backward,     false};

static void plan_stack(layer_fixture *f, heed_sublayer *stack, int64_t count, heed_sublayer_form form, bool training) {
  heed_sublayer_spec specs[STACK];
  char prefixes[STACK][32], norms[STACK][64];
  layer_begin(f, training);
  for (int64_t i = 0; i < count; i++) {
    snprintf(prefixes[i], sizeof prefixes[i], "layer.%d.", (int)i);
    snprintf(norms[i], sizeof norms[i], "%soutput.LayerNorm", prefixes[i]);
    specs[i] = (heed_sublayer_spec){
        .operations = &double_body, .body = {.config = &f->config, .prefix = prefixes[i]}, .form = form, .norm = norms[i]};
  }
  heed_block block = {stack, count, NULL};
  CU_ASSERT_EQUAL_FATAL(heed_block_plan(&block, &f->plan, specs), HEED_OK);
}

static void the_body_comes_before_its_norm(void) {
  static const layer_tensor want[] = {
      {"layer.0.double.bias", C, 0}, {"layer.0.output.LayerNorm.weight", C, 0}, {"layer.0.output.LayerNorm.bias", C, 0},
      {"layer.1.double.bias", C, 0}, {"layer.1.output.LayerNorm.weight", C, 0}, {"layer.1.output.LayerNorm.bias", C, 0}};
  layer_fixture f;
  heed_sublayer stack[STACK];
  plan_stack(&f, stack, 2, HEED_SUBLAYER_POST_NORM, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(stack[0].site, 0);
  CU_ASSERT_EQUAL(stack[1].site, 1); /* no two dropouts draw the same numbers */
  layer_end(&f);
}

static void or_behind_it(void) {
  static const layer_tensor want[] = {
      {"layer.0.output.LayerNorm.weight", C, 0}, {"layer.0.output.LayerNorm.bias", C, 0}, {"layer.0.double.bias", C, 0}};
  static const layer_tensor alone[] = {{"layer.0.double.bias", C, 0}};
  layer_fixture f;
  heed_sublayer stack[STACK];
  plan_stack(&f, stack, 1, HEED_SUBLAYER_PRE_NORM, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  layer_end(&f);
  plan_stack(&f, stack, 1, HEED_SUBLAYER_NO_NORM, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, alone));
  layer_end(&f);
}

/* Bytes that `count` sublayers take. */
static size_t bytes_of(int64_t count, heed_sublayer_form form, bool training) {
  layer_fixture f;
  heed_sublayer stack[STACK];
  plan_stack(&f, stack, count, form, training);
  size_t bytes = f.arena.peak;
  layer_end(&f);
  return bytes;
}

/* `norm`: what a norm saves.  `work`: what backward works on besides the body's. */
static void check_memory(heed_sublayer_form form, size_t norm, size_t work) {
  size_t out = COUNT * sizeof(float), body = SAVED * sizeof(float);
  CU_ASSERT_EQUAL_FATAL(out % 64, 32);
  out += 32; /* pieces begin at multiples of 64 bytes */
  body += body % 64 ? 64 - body % 64 : 0;
  /* Outside training another sublayer costs its output; in training all that it saves, but nothing of what backward works on. */
  CU_ASSERT_EQUAL(bytes_of(1, form, false), out + body + norm);
  CU_ASSERT_EQUAL(bytes_of(STACK, form, false) - bytes_of(1, form, false), (STACK - 1) * out);
  CU_ASSERT_EQUAL(bytes_of(1, form, true), bytes_of(1, form, false) + work + WORK * sizeof(float));
  CU_ASSERT_EQUAL(bytes_of(STACK, form, true) - bytes_of(1, form, true), (STACK - 1) * (out + body + norm));
}

static void what_is_dead_shares_memory(void) {
  size_t floats = COUNT * sizeof(float) + 32, moments = 2 * ((LAYER_TOKENS * sizeof(float) + 63) / 64 * 64);
  check_memory(HEED_SUBLAYER_POST_NORM, moments + floats, floats);
  check_memory(HEED_SUBLAYER_PRE_NORM, moments + floats, 2 * floats);
  check_memory(HEED_SUBLAYER_NO_NORM, 0, floats);
}

/* A twin of one sublayer: what it keeps for its backward. */
typedef struct twin {
  double *inner, *factor, *out;
} twin;

static void norm_forward(const layer_fixture *f, const heed_sublayer *s, double *y, const double *x) {
  reference_layer_norm_forward(y, x, layer_weights(f, s->norm.gamma), layer_weights(f, s->norm.beta), LAYER_TOKENS, C, 1e-5);
}

static double *norm_backward(const layer_fixture *f, const heed_sublayer *s, const double *d_y, const double *x) {
  double *d_x = test_doubles(COUNT);
  reference_layer_norm_backward(d_x, layer_gradient(f, s->norm.gamma), layer_gradient(f, s->norm.beta), d_y, x,
                                layer_weights(f, s->norm.gamma), LAYER_TOKENS, C, 1e-5);
  return d_x;
}

/* post-norm: layer_norm(x + dropout(2x + b)), pre-norm: x + dropout(2·layer_norm(x) + b); token by token in double. */
static twin twin_forward(const layer_fixture *f, const heed_sublayer *s, const double *x) {
  const heed_stream *stream = &f->batch.stream;
  twin w = {test_doubles(COUNT), test_doubles(COUNT), test_doubles(COUNT)};
  heed_dropout dropout = {16384, (float)(4.0 / 3.0), f->context.seed, f->batch.data_position, s->site, (uint32_t)f->batch.first_row};
  bool post = s->form == HEED_SUBLAYER_POST_NORM, pre = s->form == HEED_SUBLAYER_PRE_NORM;
  if (pre)
    norm_forward(f, s, w.inner, x);
  for (int64_t i = 0; i < COUNT; i++) {
    int64_t t = i / C, c = i % C, b = stream->sequence_of[t];
    w.factor[i] = f->context.training ? reference_dropout_factor(&dropout, b, 0, (t - stream->offsets[b]) * C + c) : 1.0;
    double sum = x[i] + w.factor[i] * (2 * (pre ? w.inner[i] : x[i]) + f->wide_parameters[s->body.attention.heads + c]);
    *(post ? &w.inner[i] : &w.out[i]) = sum;
  }
  if (post)
    norm_forward(f, s, w.out, w.inner);
  return w;
}

/* Turns the output's gradient into the input's. */
static void twin_backward(layer_fixture *f, const heed_sublayer *s, double *gradient, const twin *w, const double *x) {
  bool post = s->form == HEED_SUBLAYER_POST_NORM, pre = s->form == HEED_SUBLAYER_PRE_NORM;
  double *d_sum = post ? norm_backward(f, s, gradient, w->inner) : test_doubles(COUNT), *d_input = test_doubles(COUNT);
  if (!post)
    memcpy(d_sum, gradient, COUNT * sizeof *d_sum);
  for (int64_t i = 0; i < COUNT; i++) {
    f->wide_gradients[s->body.attention.heads + i % C] += w->factor[i] * d_sum[i];
    d_input[i] = 2 * w->factor[i] * d_sum[i];
  }
  if (pre)
    d_input = norm_backward(f, s, d_input, x);
  for (int64_t i = 0; i < COUNT; i++)
    gradient[i] = d_sum[i] + d_input[i];
}

/* A stack, so that buffers that share memory are used one after the other. */
static void check_stack(heed_sublayer_form form) {
  layer_fixture f;
  heed_sublayer stack[STACK];
  twin w[STACK];
  plan_stack(&f, stack, STACK, form, true);
  layer_commit(&f);
  const float *first = test_random(COUNT, 3, 1.0);
  heed_hidden x[STACK + 1] = {{first, first}};
  double *wide[STACK + 1] = {test_widen(first, COUNT)};
  for (int i = 0; i < STACK; i++) {
    x[i + 1] = heed_sublayer_forward(&f.context, x[i], &stack[i]);
    CU_ASSERT_PTR_EQUAL(x[i + 1].values, heed_buffer(&f.context, stack[i].out));
    CU_ASSERT_PTR_EQUAL(x[i + 1].elements, form == HEED_SUBLAYER_POST_NORM ? x[i + 1].values : NULL);
    x[i + 1].elements = x[i + 1].values; /* fp32: the body may read them too */
    w[i] = twin_forward(&f, &stack[i], wide[i]);
    wide[i + 1] = w[i].out;
  }
  CU_ASSERT(test_error(x[STACK].values, wide[STACK], COUNT) < layer_bound);
  float *gradient = test_random(COUNT, 4, 1.0);
  double *wide_gradient = test_widen(gradient, COUNT);
  for (int i = STACK - 1; i >= 0; i--) {
    heed_sublayer_backward(&f.context, gradient, x[i], &stack[i]);
    twin_backward(&f, &stack[i], wide_gradient, &w[i], wide[i]);
  }
  CU_ASSERT(test_error(gradient, wide_gradient, COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  if (form != HEED_SUBLAYER_NO_NORM) { /* the test of the test: norms are told apart */
    stack[0].form = form == HEED_SUBLAYER_PRE_NORM ? HEED_SUBLAYER_POST_NORM : HEED_SUBLAYER_PRE_NORM;
    CU_ASSERT(test_error(x[1].values, twin_forward(&f, &stack[0], wide[0]).out, COUNT) > 0.01);
  }
  layer_end(&f);
}

static void a_stack_equals_its_twin(void) {
  check_stack(HEED_SUBLAYER_POST_NORM);
}
static void and_with_norms_before(void) {
  check_stack(HEED_SUBLAYER_PRE_NORM);
}
static void and_without_norms(void) {
  check_stack(HEED_SUBLAYER_NO_NORM);
}

static void has_no_dropout_outside_training(void) {
  for (heed_sublayer_form form = HEED_SUBLAYER_POST_NORM; form <= HEED_SUBLAYER_NO_NORM; form++) {
    layer_fixture f;
    heed_sublayer stack[STACK];
    plan_stack(&f, stack, STACK, form, false);
    layer_commit(&f);
    const float *x = test_random(COUNT, 3, 1.0);
    double *wide = test_widen(x, COUNT);
    for (int i = 0; i < STACK; i++) {
      x = heed_sublayer_forward(&f.context, (heed_hidden){x, x}, &stack[i]).values;
      wide = twin_forward(&f, &stack[i], wide).out;
    }
    CU_ASSERT(test_error(x, wide, COUNT) < layer_bound);
    layer_end(&f);
  }
}

HEED_TESTS({"the body comes before its norm", the_body_comes_before_its_norm}, {"or behind it", or_behind_it},
           {"what is dead shares memory", what_is_dead_shares_memory}, {"a stack equals its twin", a_stack_equals_its_twin},
           {"and with norms before", and_with_norms_before}, {"and without norms", and_without_norms},
           {"has no dropout outside training", has_no_dropout_outside_training})
