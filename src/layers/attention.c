#include "layers/attention.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "layers/body.h"

/* ---- planning ---- */

/* Which keys a query of this block sees. */
static void choose_band(heed_attention *a, const heed_model_config *config, int64_t block) {
  bool sees_all = config->window == 0 || (config->global_every > 0 && block % config->global_every == 0);
  a->behind = sees_all ? HEED_EVERYWHERE : config->window;
  a->ahead = config->causal ? 0 : a->behind;
}

static heed_status plan_maps(heed_attention *a, heed_plan *plan, const heed_body_spec *spec) {
  const heed_model_config *config = spec->config;
  char names[HEED_BODY_NAMES][HEED_MAX_NAME - 8];
  const char *parts[HEED_BODY_NAMES];
  for (int i = 0; i < HEED_BODY_NAMES; i++) {
    snprintf(names[i], sizeof names[i], "%s%s", spec->prefix, spec->names[i] ? spec->names[i] : "");
    parts[i] = names[i];
  }
  heed_linear_spec one = {config->hidden, config->hidden, config->initializer_range, config->biases, HEED_SPLIT_OUTPUTS, 1}, last = one,
                   three = one;
  last.deviation = spec->residual_deviation;
  last.split = HEED_SPLIT_INPUTS;
  three.runs = 3;
  three.outputs = 3 * config->hidden;
  if (a->cross) {
    HEED_TRY(heed_linear_plan(&a->input, plan, parts, 1, &one));
    HEED_TRY(heed_linear_plan(&a->key_value, plan, parts + 1, 2, &one));
    heed_linear_plan_rows(plan, &a->key_value, plan->source_tokens);
  } else if (spec->names[1]) {
    HEED_TRY(heed_linear_plan(&a->input, plan, parts, 3, &one));
  } else {
    HEED_TRY(heed_linear_plan(&a->input, plan, parts, 1, &three));
  }
  return heed_linear_plan(&a->output, plan, parts + 3, 1, &last);
}

static heed_status plan_attention(heed_attention *a, heed_plan *plan, const heed_body_spec *spec, bool cross) {
  const heed_model_config *config = spec->config;
  const int64_t parts = plan->table->parts > 1 ? plan->table->parts : 1, heads = config->heads / parts;
  if (config->heads % parts)
    return heed_error(HEED_INVALID, "parallel.tensor: the %lld heads of attention cannot be divided among %lld ranks",
                      (long long)config->heads, (long long)parts);
  *a = (heed_attention){.heads = heads,
                        .first_head = heads * plan->table->part,
                        .head_width = config->hidden / config->heads,
                        .dropout = config->attention_dropout,
                        .number = plan->attentions++,
                        .site = plan->next_site++,
                        .behind = HEED_EVERYWHERE,
                        .ahead = HEED_EVERYWHERE,
                        .cross = cross,
                        .rotary = !cross && config->positions == HEED_POSITIONS_ROTARY};
  HEED_TRY(plan_maps(a, plan, spec));
  if (!cross)
    choose_band(a, config, spec->block);
  a->turns = a->behind == HEED_EVERYWHERE ? plan->rotary : plan->rotary_local;
  if (plan->cache && !cross)
    a->cache = heed_arena_reserve(plan->cache, (size_t)(plan->sequences * plan->cache_tokens * 2 * heads * a->head_width),
                                  plan->kernels->element_bytes);
  return HEED_OK;
}

static heed_status plan_self(heed_body *body, heed_plan *plan, const heed_body_spec *spec) {
  return plan_attention(&body->attention, plan, spec, false);
}

static heed_status plan_cross(heed_body *body, heed_plan *plan, const heed_body_spec *spec) {
  return plan_attention(&body->attention, plan, spec, true);
}

static void plan_forward(heed_body *body, heed_plan *plan) {
  heed_attention *a = &body->attention;
  a->queries = heed_reserve_elements(plan, plan->tokens, a->input.outputs);
  a->keys = a->cross ? heed_reserve_elements(plan, plan->source_tokens, a->key_value.outputs) : a->queries;
  a->lse = heed_reserve_floats(plan, plan->tokens, a->heads);
  a->attended = heed_reserve_elements(plan, plan->tokens, a->output.inputs);
}

static void plan_backward(heed_body *body, heed_plan *plan) {
  heed_attention *a = &body->attention;
  a->d_queries = heed_reserve_elements(plan, plan->tokens, a->input.outputs);
  a->d_keys = a->cross ? heed_reserve_elements(plan, plan->source_tokens, a->key_value.outputs) : a->d_queries;
  a->d_attended = heed_reserve_elements(plan, plan->tokens, a->output.inputs);
}

/* ---- where things lie ---- */

/* Queries, keys and values of a call, or their gradients: side by side in one buffer, or in two. */
typedef struct operands {
  void *q, *k, *v;
} operands;

static operands operands_at(const heed_context *context, const heed_attention *a, size_t queries, size_t keys) {
  int64_t width = a->heads * a->head_width;
  void *k = heed_behind(context, heed_buffer(context, keys), a->cross ? 0 : width);
  return (operands){heed_buffer(context, queries), k, heed_behind(context, k, width)};
}

static heed_attention_shape shape_of(const heed_context *context, const heed_attention *a) {
  const heed_stream *stream = context->stream, *source = a->cross ? context->source.stream : stream;
  int64_t width = a->heads * a->head_width;
  return (heed_attention_shape){.sequences = stream->sequences,
                                .heads = a->heads,
                                .head_width = a->head_width,
                                .q_offsets = stream->offsets,
                                .kv_offsets = source->offsets,
                                .behind = a->behind,
                                .ahead = a->ahead,
                                .q_stride = a->cross ? width : 3 * width,
                                .kv_stride = a->cross ? 2 * width : 3 * width,
                                .out_stride = width,
                                .scale = (float)(1.0 / sqrt((double)a->head_width))};
}

/* A head draws the same wherever it is. */
static heed_dropout dropout_of(const heed_context *context, const heed_attention *a) {
  return heed_dropout_at(context, a->dropout, a->site + ((uint32_t)a->first_head << 16));
}

static void turn(const heed_context *context, const heed_attention *a, const operands *o, bool back) {
  const heed_stream *stream = context->stream;
  int64_t stride = 3 * a->heads * a->head_width;
  const float *turns = heed_buffer(context, a->turns);
  context->kernels->rotary(o->q, turns, stream->positions, stream->tokens, stride, a->heads, a->head_width, back);
  context->kernels->rotary(o->k, turns, stream->positions, stream->tokens, stride, a->heads, a->head_width, back);
}

/* Puts the call's keys and values behind those that the cache holds, and lets the operands and the shape name the cache. */
static void use_cache(const heed_context *context, const heed_attention *a, operands *o, heed_attention_shape *shape) {
  const heed_cache *cache = context->cache;
  const heed_stream *stream = context->stream;
  int64_t width = a->heads * a->head_width;
  char *memory = heed_arena_at(context->cache_arena, a->cache);
  size_t bytes = (size_t)(2 * width) * context->kernels->element_bytes; /* of a token: values follow keys */
#pragma omp for schedule(static)
  for (int64_t t = 0; t < stream->tokens; t++) {
    int64_t b = stream->sequence_of[t], place = cache->ends[b] - (stream->offsets[b + 1] - t);
    memcpy(memory + (size_t)place * bytes, heed_behind(context, o->k, t * shape->kv_stride), bytes);
  }
  *o = (operands){o->q, memory, heed_behind(context, memory, width)};
  shape->kv_offsets = cache->starts;
  shape->kv_ends = cache->ends;
  shape->kv_stride = 2 * width;
}

/* ---- the passes ---- */

/* What people look at, and what the metrics tell. */
static void look(const heed_context *context, const heed_attention *a, const operands *o, const heed_attention_shape *shape) {
  const float *lse = heed_buffer(context, a->lse);
  if (context->maps) {
    int64_t length = shape->q_offsets[1];
    context->kernels->attention_weights(context->maps + a->number * a->heads * length * length, o->q, o->k, lse, shape, 0,
                                        heed_thread_scratch(context));
  }
  if (context->entropy)
    context->kernels->attention_entropy(context->entropy + a->number * shape->sequences * a->heads, o->q, o->k, lse, shape,
                                        heed_thread_scratch(context));
}

static void forward(const heed_context *context, const heed_residual *r, const void *x, const heed_body *body) {
  const heed_attention *a = &body->attention;
  heed_attention_shape shape = shape_of(context, a);
  heed_dropout dropout = dropout_of(context, a);
  operands o = operands_at(context, a, a->queries, a->keys);
  void *attended = heed_buffer(context, a->attended);

  heed_linear_forward(context, o.q, false, x, &a->input, heed_token_rows(context));
  if (a->cross)
    heed_linear_forward(context, o.k, false, context->source.hidden, &a->key_value, heed_source_rows(context));
  if (a->rotary)
    turn(context, a, &o, false);
  if (context->cache && !a->cross)
    use_cache(context, a, &o, &shape);
  context->kernels->attention_forward(attended, heed_buffer(context, a->lse), o.q, o.k, o.v, &shape, &dropout,
                                      heed_thread_scratch(context));
  if (!a->cross)
    look(context, a, &o, &shape);
  if (r)
    heed_linear_residual_forward(context, r, attended, &a->output, heed_token_rows(context));
}

static void backward(const heed_context *context, float *d_x, bool add, const void *d_y, const void *x, const heed_body *body) {
  const heed_attention *a = &body->attention;
  heed_attention_shape shape = shape_of(context, a);
  heed_dropout dropout = dropout_of(context, a);
  operands o = operands_at(context, a, a->queries, a->keys), d = operands_at(context, a, a->d_queries, a->d_keys);
  const void *attended = heed_buffer(context, a->attended);
  void *d_attended = heed_buffer(context, a->d_attended);
  heed_rows rows = heed_token_rows(context), source = a->cross ? heed_source_rows(context) : rows;

  heed_linear_backward_input(context, d_attended, false, false, d_y, &a->output, rows);
  heed_linear_backward_weight(context, d_y, attended, &a->output, rows);
  context->kernels->attention_backward(d.q, d.k, d.v, d_attended, attended, heed_buffer(context, a->lse), o.q, o.k, o.v, &shape, &dropout,
                                       heed_thread_scratch(context));
  if (a->rotary)
    turn(context, a, &d, true);
  if (a->cross) {
    heed_linear_backward_input(context, context->source.gradient, true, true, d.k, &a->key_value, source);
    heed_linear_backward_weight(context, d.k, context->source.hidden, &a->key_value, source);
  }
  heed_linear_backward_input(context, d_x, true, add, d.q, &a->input, rows);
  heed_linear_backward_weight(context, d.q, x, &a->input, rows);
}

const heed_body_operations heed_self_attention_body = {plan_self, plan_forward, plan_backward, forward, backward, true};
const heed_body_operations heed_cross_attention_body = {plan_cross, plan_forward, plan_backward, forward, backward, true};
