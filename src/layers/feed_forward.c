#include "layers/feed_forward.h"

#include <stdio.h>

#include "layers/body.h"

static heed_status plan(heed_body *body, heed_plan *plan, const heed_model_config *config, const char *prefix) {
  heed_feed_forward *f = &body->feed_forward;
  char up[HEED_MAX_NAME - 8], down[HEED_MAX_NAME - 8];
  const char *ups[1] = {up}, *downs[1] = {down};
  float deviation = (float)config->initializer_range;
  size_t floats = (size_t)plan->tokens * (size_t)config->feed_forward;
  snprintf(up, sizeof up, "%sintermediate.dense", prefix);
  snprintf(down, sizeof down, "%soutput.dense", prefix);

  *f = (heed_feed_forward){.tanh_form = config->activation == HEED_GELU_TANH};
  HEED_TRY(heed_linear_plan(&f->up, plan, ups, 1, config->hidden, config->feed_forward, deviation));
  HEED_TRY(heed_linear_plan(&f->down, plan, downs, 1, config->feed_forward, config->hidden, deviation));
  f->before = heed_arena_reserve(plan->arena, floats, sizeof(float));
  f->after = heed_arena_reserve(plan->arena, floats, sizeof(float));
  return HEED_OK;
}

static void plan_backward(heed_body *body, heed_plan *plan) {
  heed_feed_forward *f = &body->feed_forward;
  f->d_inner = heed_arena_reserve(plan->arena, (size_t)(plan->tokens * f->up.outputs), sizeof(float));
}

static void forward(const heed_context *context, float *y, const float *x, const heed_body *body) {
  const heed_feed_forward *f = &body->feed_forward;
  heed_rows rows = heed_token_rows(context);
  float *before = heed_buffer(context, f->before), *after = heed_buffer(context, f->after);
  heed_linear_forward(context, before, x, &f->up, rows);
  context->kernels->activation_forward(after, before, rows.starts[rows.slices] * f->up.outputs,
                                       f->tanh_form ? HEED_FORM_GELU_TANH : HEED_FORM_GELU);
  heed_linear_forward(context, y, after, &f->down, rows);
}

static void backward(const heed_context *context, float *d_x, const float *d_y, const float *x, const heed_body *body) {
  const heed_feed_forward *f = &body->feed_forward;
  heed_rows rows = heed_token_rows(context);
  const float *before = heed_buffer(context, f->before), *after = heed_buffer(context, f->after);
  float *d_inner = heed_buffer(context, f->d_inner);
  heed_linear_backward(context, d_inner, false, d_y, after, &f->down, rows);
  context->kernels->activation_backward(d_inner, d_inner, before, rows.starts[rows.slices] * f->up.outputs,
                                        f->tanh_form ? HEED_FORM_GELU_TANH : HEED_FORM_GELU);
  heed_linear_backward(context, d_x, true, d_inner, x, &f->up, rows);
}

const heed_body_operations heed_feed_forward_body = {plan, plan_backward, forward, backward};
