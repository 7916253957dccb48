#include "layers/linear.h"

#include <stdio.h>

/* ---- the passes ---- */

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

static void residual_forward(const heed_context *context, const heed_residual *r, const void *x, const heed_linear *linear,
                             heed_rows rows) {
  context->kernels->linear_residual_forward(r, x, weights_of(context, linear), heed_weights(context, linear->bias), heed_row_count(rows),
                                            linear->inputs, linear->outputs, context->workspace, heed_thread_scratch(context));
}

static void backward_input(const heed_context *context, void *d_x, bool wide, bool add, const void *d_y, const heed_linear *linear,
                           heed_rows rows) {
  context->kernels->linear_backward_input(d_x, wide, add, d_y, weights_of(context, linear), heed_row_count(rows), linear->inputs,
                                          linear->outputs, context->workspace, heed_thread_scratch(context));
}

/* A product of the parts of x and W that are here is a share of y. */
static void residual_forward_of_shares(const heed_context *context, const heed_residual *r, const void *x, const heed_linear *linear,
                                       heed_rows rows) {
  const float *bias = context->tensor->rank == 0 ? heed_weights(context, linear->bias) : NULL;
  context->kernels->linear_forward(r->sum, true, x, weights_of(context, linear), bias, heed_row_count(rows), linear->inputs,
                                   linear->outputs, context->workspace, heed_thread_scratch(context));
  heed_add_up(context, r->sum, heed_row_count(rows) * linear->outputs);
  context->kernels->residual_forward(r, heed_row_count(rows), linear->outputs);
}

/* Likewise a share of d_x; what that holds before, the same on all ranks, is counted once. */
static void backward_input_of_shares(const heed_context *context, void *d_x, bool wide, bool add, const void *d_y,
                                     const heed_linear *linear, heed_rows rows) {
  backward_input(context, d_x, wide, add && context->tensor->rank == 0, d_y, linear, rows);
  heed_add_up(context, d_x, heed_row_count(rows) * linear->inputs);
}

static const heed_linear_operations whole = {residual_forward, backward_input},
                                    split_outputs = {residual_forward, backward_input_of_shares},
                                    split_inputs = {residual_forward_of_shares, backward_input};

void heed_linear_residual_forward(const heed_context *context, const heed_residual *r, const void *x, const heed_linear *linear,
                                  heed_rows rows) {
  linear->operations->residual_forward(context, r, x, linear, rows);
}

void heed_linear_backward_input(const heed_context *context, void *d_x, bool wide, bool add, const void *d_y, const heed_linear *linear,
                                heed_rows rows) {
  linear->operations->backward_input(context, d_x, wide, add, d_y, linear, rows);
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

/* ---- planning ---- */

/* What of `count` things, in `runs` runs, is this part's. */
static int64_t share_of(const heed_plan *plan, int64_t count, int64_t runs) {
  const heed_parameter_table *table = plan->table;
  const int64_t run = count / runs;
  return runs * (heed_part_begin(run, table->parts, table->part + 1) - heed_part_begin(run, table->parts, table->part));
}

/* The sizes and operations of `names` maps side by side. */
static void split(heed_linear *linear, const heed_plan *plan, const heed_linear_spec *spec, int names) {
  *linear = (heed_linear){&whole, spec->inputs, names * spec->outputs, -1, -1, -1};
  if (plan->table->parts <= 1)
    return;
  if (spec->split == HEED_SPLIT_OUTPUTS) {
    linear->operations = &split_outputs;
    linear->outputs = names * share_of(plan, spec->outputs, spec->runs > 0 ? spec->runs : 1);
  } else if (spec->split == HEED_SPLIT_INPUTS) {
    linear->operations = &split_inputs;
    linear->inputs = share_of(plan, spec->inputs, 1);
  }
}

static heed_status plan_panels(heed_linear *linear, heed_plan *plan) {
  if (!plan->panels)
    return HEED_OK;
  return heed_panels_add(plan->panels, plan->kernels, linear->weight, linear->inputs, linear->outputs, &linear->panels);
}

/* The axis of W [outputs, inputs] that is split. */
static int axis_of(heed_linear_split split) {
  return split == HEED_SPLIT_OUTPUTS ? 0 : split == HEED_SPLIT_INPUTS ? 1 : -1;
}

heed_status heed_linear_plan(heed_linear *linear, heed_plan *plan, const char *const *names, int parts, const heed_linear_spec *spec) {
  split(linear, plan, spec, parts);
  linear->weight = plan->table->total;
  for (int i = 0; i < parts; i++) {
    heed_parameter weight = {.rank = 2,
                             .shape = {spec->outputs, spec->inputs},
                             .initialisation = plan->initialisation,
                             .deviation = (float)spec->deviation,
                             .decay = true,
                             .shard_axis = axis_of(spec->split),
                             .shard_runs = spec->runs};
    snprintf(weight.name, sizeof weight.name, "%s.weight", names[i]);
    HEED_TRY(heed_parameters_add(plan->table, &weight, NULL));
  }
  HEED_TRY(plan_panels(linear, plan));
  heed_linear_plan_rows(plan, linear, plan->tokens);
  if (!spec->bias)
    return HEED_OK;
  linear->bias = plan->table->total;
  for (int i = 0; i < parts; i++) {
    heed_parameter bias = {.rank = 1,
                           .shape = {spec->outputs},
                           .initialisation = HEED_INIT_ZEROS,
                           .shard_axis = spec->split == HEED_SPLIT_OUTPUTS ? 0 : -1,
                           .shard_runs = spec->runs};
    snprintf(bias.name, sizeof bias.name, "%s.bias", names[i]);
    HEED_TRY(heed_parameters_add(plan->table, &bias, NULL));
  }
  return HEED_OK;
}

heed_status heed_linear_plan_tied(heed_linear *linear, heed_plan *plan, const heed_linear_spec *spec, int64_t weight, int64_t rows) {
  split(linear, plan, spec, 1);
  linear->weight = weight;
  HEED_TRY(plan_panels(linear, plan));
  heed_linear_plan_rows(plan, linear, rows);
  return HEED_OK;
}

void heed_linear_plan_rows(heed_plan *plan, const heed_linear *linear, int64_t rows) {
  heed_plan_workspace(plan, plan->kernels->linear_workspace(rows, plan->slices, linear->inputs, linear->outputs, plan->training));
}
