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

void heed_linear_forward(const heed_context *context, float *y, const float *x, const heed_linear *linear, heed_rows rows) {
  context->kernels->linear_forward(y, x, heed_weights(context, linear->weight), heed_weights(context, linear->bias), rows.starts,
                                   rows.slices, linear->inputs, linear->outputs);
}

void heed_linear_backward(const heed_context *context, float *d_x, bool add, const float *d_y, const float *x, const heed_linear *linear,
                          heed_rows rows) {
  context->kernels->linear_backward_input(d_x, d_y, heed_weights(context, linear->weight), rows.starts, rows.slices, linear->inputs,
                                          linear->outputs, add);
  context->kernels->linear_backward_weight(heed_gradient(context, linear->weight), heed_gradient(context, linear->bias), d_y, x,
                                           rows.starts, rows.slices, linear->inputs, linear->outputs, heed_thread_scratch(context));
}
