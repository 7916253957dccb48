#include "layers/linear.h"

#include <stdio.h>

heed_status heed_linear_plan(heed_linear *linear, heed_plan *plan, const char *const *names, int parts, const heed_linear_spec *spec) {
  *linear = (heed_linear){.inputs = spec->inputs, .outputs = parts * spec->outputs, .weight = plan->table->total, .bias = -1};
  for (int i = 0; i < parts; i++) {
    heed_parameter weight = {.rank = 2,
                             .shape = {spec->outputs, spec->inputs},
                             .initialisation = plan->initialisation,
                             .deviation = (float)spec->deviation,
                             .decay = true,
                             .shard_axis = -1};
    snprintf(weight.name, sizeof weight.name, "%s.weight", names[i]);
    HEED_TRY(heed_parameters_add(plan->table, &weight, NULL));
  }
  HEED_TRY(heed_linear_plan_panels(linear, plan));
  heed_linear_plan_rows(plan, linear, plan->tokens);
  if (!spec->bias)
    return HEED_OK;
  linear->bias = plan->table->total;
  for (int i = 0; i < parts; i++) {
    heed_parameter bias = {.rank = 1, .shape = {spec->outputs}, .initialisation = HEED_INIT_ZEROS, .shard_axis = -1};
    snprintf(bias.name, sizeof bias.name, "%s.bias", names[i]);
    HEED_TRY(heed_parameters_add(plan->table, &bias, NULL));
  }
  return HEED_OK;
}

heed_status heed_linear_plan_panels(heed_linear *linear, heed_plan *plan) {
  linear->panels = -1;
  if (!plan->panels)
    return HEED_OK;
  return heed_panels_add(plan->panels, plan->kernels, linear->weight, linear->inputs, linear->outputs, &linear->panels);
}

void heed_linear_plan_rows(heed_plan *plan, const heed_linear *linear, int64_t rows) {
  heed_plan_workspace(plan, plan->kernels->linear_workspace(rows, plan->slices, linear->inputs, linear->outputs, plan->training));
}

static heed_linear_weights weights_of(const heed_context *context, const heed_linear *linear) {
  return heed_panels_weights(context->panels, linear->panels, context->parameters, linear->weight);
}

void heed_linear_forward(const heed_context *context, void *y, bool wide, const void *x, const heed_linear *linear, heed_rows rows) {
  context->kernels->linear_forward(y, wide, x, weights_of(context, linear), heed_weights(context, linear->bias), heed_row_count(rows),
                                   linear->inputs, linear->outputs, context->workspace, heed_thread_scratch(context));
}

void heed_linear_activation_forward(const heed_context *context, void *after, bool wide, void *slopes, const void *x, heed_form form,
                                    const heed_linear *linear, heed_rows rows) {
  context->kernels->linear_activation_forward(after, wide, slopes, x, weights_of(context, linear), heed_weights(context, linear->bias),
                                              form, heed_row_count(rows), linear->inputs, linear->outputs, context->workspace,
                                              heed_thread_scratch(context));
}

void heed_linear_residual_forward(const heed_context *context, const heed_residual *r, const void *x, const heed_linear *linear,
                                  heed_rows rows) {
  context->kernels->linear_residual_forward(r, x, weights_of(context, linear), heed_weights(context, linear->bias), heed_row_count(rows),
                                            linear->inputs, linear->outputs, context->workspace, heed_thread_scratch(context));
}

void heed_linear_backward_input(const heed_context *context, void *d_x, bool wide, bool add, const void *d_y, const heed_linear *linear,
                                heed_rows rows) {
  context->kernels->linear_backward_input(d_x, wide, add, d_y, weights_of(context, linear), heed_row_count(rows), linear->inputs,
                                          linear->outputs, context->workspace, heed_thread_scratch(context));
}

void heed_linear_activation_backward_input(const heed_context *context, void *d_before, const void *d_y, const void *slopes,
                                           const heed_linear *linear, heed_rows rows) {
  context->kernels->linear_activation_backward_input(d_before, d_y, weights_of(context, linear), slopes, heed_row_count(rows),
                                                     linear->inputs, linear->outputs, context->workspace, heed_thread_scratch(context));
}

void heed_linear_backward_weight(const heed_context *context, const void *d_y, const void *x, const heed_linear *linear, heed_rows rows) {
  context->kernels->linear_backward_weight(heed_gradient(context, linear->weight), heed_gradient(context, linear->bias), d_y, x,
                                           rows.starts, rows.slices, linear->inputs, linear->outputs, context->workspace,
                                           heed_thread_scratch(context));
}
