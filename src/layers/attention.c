#include "layers/attention.h"

#include <math.h>
#include <stdio.h>

#include "layers/body.h"

static heed_status plan(heed_body *body, heed_plan *plan, const heed_model_config *config, const char *prefix) {
  heed_attention *a = &body->attention;
  char names[4][HEED_MAX_NAME - 8];
  static const char *const parts[4] = {"self.query", "self.key", "self.value", "output.dense"};
  for (int i = 0; i < 4; i++)
    snprintf(names[i], sizeof names[i], "%sattention.%s", prefix, parts[i]);
  const char *qkv[3] = {names[0], names[1], names[2]}, *output[1] = {names[3]};
  float deviation = (float)config->initializer_range;
  size_t tokens = (size_t)plan->tokens, width = (size_t)config->hidden;

  *a = (heed_attention){.heads = config->heads,
                        .head_width = config->hidden / config->heads,
                        .dropout = config->attention_dropout,
                        .number = plan->attentions++,
                        .site = plan->next_site++};
  HEED_TRY(heed_linear_plan(&a->query_key_value, plan, qkv, 3, config->hidden, config->hidden, deviation));
  HEED_TRY(heed_linear_plan(&a->output, plan, output, 1, config->hidden, config->hidden, deviation));
  a->qkv = heed_arena_reserve(plan->arena, tokens * 3 * width, sizeof(float));
  a->lse = heed_arena_reserve(plan->arena, tokens * (size_t)config->heads, sizeof(float));
  a->attended = heed_arena_reserve(plan->arena, tokens * width, sizeof(float));
  return HEED_OK;
}

static void plan_backward(heed_body *body, heed_plan *plan) {
  heed_attention *a = &body->attention;
  size_t floats = (size_t)(plan->tokens * a->output.inputs);
  a->d_qkv = heed_arena_reserve(plan->arena, 3 * floats, sizeof(float));
  a->d_attended = heed_arena_reserve(plan->arena, floats, sizeof(float));
}

static heed_attention_shape shape_of(const heed_context *context, const heed_attention *a) {
  const heed_stream *stream = &context->batch->stream;
  int64_t width = a->heads * a->head_width;
  return (heed_attention_shape){.sequences = stream->sequences,
                                .heads = a->heads,
                                .head_width = a->head_width,
                                .q_offsets = stream->offsets,
                                .kv_offsets = stream->offsets,
                                .q_stride = 3 * width,
                                .kv_stride = 3 * width,
                                .out_stride = width,
                                .scale = (float)(1.0 / sqrt((double)a->head_width)),
                                .behind = HEED_EVERYWHERE,
                                .ahead = HEED_EVERYWHERE};
}

static void forward(const heed_context *context, float *y, const float *x, const heed_body *body) {
  const heed_attention *a = &body->attention;
  heed_attention_shape shape = shape_of(context, a);
  heed_dropout dropout = heed_dropout_at(context, a->dropout, a->site);
  int64_t width = a->heads * a->head_width;
  float *q = heed_buffer(context, a->qkv), *attended = heed_buffer(context, a->attended);

  heed_linear_forward(context, q, x, &a->query_key_value, heed_token_rows(context));
  context->kernels->attention_forward(attended, heed_buffer(context, a->lse), q, q + width, q + 2 * width, &shape, &dropout,
                                      heed_thread_scratch(context));
  if (context->maps) {
    int64_t length = shape.q_offsets[1];
    context->kernels->attention_weights(context->maps + a->number * a->heads * length * length, q, q + width, heed_buffer(context, a->lse),
                                        &shape, 0, heed_thread_scratch(context));
  }
  heed_linear_forward(context, y, attended, &a->output, heed_token_rows(context));
}

static void backward(const heed_context *context, float *d_x, const float *d_y, const float *x, const heed_body *body) {
  const heed_attention *a = &body->attention;
  heed_attention_shape shape = shape_of(context, a);
  heed_dropout dropout = heed_dropout_at(context, a->dropout, a->site);
  int64_t width = a->heads * a->head_width;
  const float *q = heed_buffer(context, a->qkv), *attended = heed_buffer(context, a->attended);
  float *d_q = heed_buffer(context, a->d_qkv), *d_attended = heed_buffer(context, a->d_attended);

  heed_linear_backward(context, d_attended, false, d_y, attended, &a->output, heed_token_rows(context));
  context->kernels->attention_backward(d_q, d_q + width, d_q + 2 * width, d_attended, attended, heed_buffer(context, a->lse), q, q + width,
                                       q + 2 * width, &shape, &dropout, heed_thread_scratch(context));
  heed_linear_backward(context, d_x, true, d_q, x, &a->query_key_value, heed_token_rows(context));
}

const heed_body_operations heed_self_attention_body = {plan, plan_backward, forward, backward};
