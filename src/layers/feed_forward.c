#include "layers/feed_forward.h"

#include <stdio.h>

#include "layers/body.h"

heed_form heed_activation_form_of(heed_activation activation, bool *gated) {
  static const struct {
    heed_form form;
    bool gated;
  } forms[] = {
      [HEED_GELU] = {HEED_FORM_GELU, false}, [HEED_GELU_TANH] = {HEED_FORM_GELU_TANH, false}, [HEED_RELU] = {HEED_FORM_RELU, false},
      [HEED_GEGLU] = {HEED_FORM_GELU, true}, [HEED_GEGLU_TANH] = {HEED_FORM_GELU_TANH, true}, [HEED_REGLU] = {HEED_FORM_RELU, true}};
  *gated = forms[activation].gated;
  return forms[activation].form;
}

static heed_status plan(heed_body *body, heed_plan *plan, const heed_body_spec *spec) {
  heed_feed_forward *f = &body->feed_forward;
  const heed_model_config *config = spec->config;
  char up[HEED_MAX_NAME - 8], down[HEED_MAX_NAME - 8];
  const char *ups[1] = {up}, *downs[1] = {down};
  snprintf(up, sizeof up, "%s%s", spec->prefix, spec->names[0]);
  snprintf(down, sizeof down, "%s%s", spec->prefix, spec->names[1]);

  *f = (heed_feed_forward){0};
  f->form = heed_activation_form_of(config->activation, &f->gated);
  const int64_t runs = f->gated ? 2 : 1;
  heed_linear_spec first = {config->hidden, runs * config->feed_forward, config->initializer_range,
                            config->biases, HEED_SPLIT_OUTPUTS,          runs},
                   second = {config->feed_forward, config->hidden, spec->residual_deviation, config->biases, HEED_SPLIT_INPUTS, 1};
  HEED_TRY(heed_linear_plan(&f->up, plan, ups, 1, &first));
  return heed_linear_plan(&f->down, plan, downs, 1, &second);
}

static void plan_forward(heed_body *body, heed_plan *plan) {
  heed_feed_forward *f = &body->feed_forward;
  if (f->gated)
    f->before = heed_reserve_elements(plan, plan->tokens, f->up.outputs);
  else if (plan->training)
    f->slopes = heed_reserve_elements(plan, plan->tokens, f->up.outputs);
  f->after = heed_reserve_elements(plan, plan->tokens, f->down.inputs);
}

static void plan_backward(heed_body *body, heed_plan *plan) {
  heed_feed_forward *f = &body->feed_forward;
  f->d_before = heed_reserve_elements(plan, plan->tokens, f->up.outputs);
  if (f->gated)
    f->d_after = heed_reserve_elements(plan, plan->tokens, f->down.inputs);
}

static void forward(const heed_context *context, const heed_residual *r, const void *x, const heed_body *body) {
  const heed_feed_forward *f = &body->feed_forward;
  heed_rows rows = heed_token_rows(context);
  void *after = heed_buffer(context, f->after);
  if (f->gated) {
    void *before = heed_buffer(context, f->before);
    heed_linear_forward(context, before, false, x, &f->up, rows);
    context->kernels->gated_forward(after, before, heed_row_count(rows), f->down.inputs, f->form);
  } else {
    void *slopes = context->training ? heed_buffer(context, f->slopes) : NULL;
    heed_linear_activation_forward(context, after, false, slopes, x, f->form, &f->up, rows);
  }
  if (r)
    heed_linear_residual_forward(context, r, after, &f->down, rows);
}

static void backward(const heed_context *context, float *d_x, bool add, const void *d_y, const void *x, const heed_body *body) {
  const heed_feed_forward *f = &body->feed_forward;
  heed_rows rows = heed_token_rows(context);
  const void *after = heed_buffer(context, f->after);
  void *d_before = heed_buffer(context, f->d_before);
  if (f->gated) {
    const void *before = heed_buffer(context, f->before);
    void *d_after = heed_buffer(context, f->d_after);
    heed_linear_backward_input(context, d_after, false, false, d_y, &f->down, rows);
    context->kernels->gated_backward(d_before, d_after, before, heed_row_count(rows), f->down.inputs, f->form);
  } else {
    heed_linear_activation_backward_input(context, d_before, d_y, heed_buffer(context, f->slopes), &f->down, rows);
  }
  heed_linear_backward_weight(context, d_y, after, &f->down, rows);
  heed_linear_backward_input(context, d_x, true, add, d_before, &f->up, rows);
  heed_linear_backward_weight(context, d_before, x, &f->up, rows);
}

const heed_body_operations heed_feed_forward_body = {plan, plan_forward, plan_backward, forward, backward, false};
