#include "layers/linear.h"

#include <stdio.h>

heed_status heed_linear_plan(heed_linear *linear, heed_plan *plan, const char *const *names, int parts, int64_t inputs,
                             int64_t part_outputs, float deviation) {
  *linear = (heed_linear){.inputs = inputs, .outputs = parts * part_outputs};
  linear->weight = plan->table->total;
  for (int i = 0; i < parts; i++) {
    heed_parameter weight = {.rank = 2,
                             .shape = {part_outputs, inputs},
                             .initialisation = HEED_INIT_TRUNCATED_NORMAL,
                             .deviation = deviation,
                             .decay = true,
                             .shard_axis = -1};
    snprintf(weight.name, sizeof weight.name, "%s.weight", names[i]);
    HEED_TRY(heed_parameters_add(plan->table, &weight, NULL));
  }
  linear->bias = plan->table->total;
  for (int i = 0; i < parts; i++) {
    heed_parameter bias = {.rank = 1, .shape = {part_outputs}, .initialisation = HEED_INIT_ZEROS, .shard_axis = -1};
    snprintf(bias.name, sizeof bias.name, "%s.bias", names[i]);
    HEED_TRY(heed_parameters_add(plan->table, &bias, NULL));
  }
  return HEED_OK;
}

void heed_linear_forward(const heed_context *context, float *y, const float *x, const heed_linear *linear, heed_rows rows) {
  context->kernels->linear_forward(y, x, context->parameters + linear->weight, context->parameters + linear->bias, rows.starts, rows.slices,
                                   linear->inputs, linear->outputs);
}

void heed_linear_backward(const heed_context *context, float *d_x, bool add, const float *d_y, const float *x, const heed_linear *linear,
                          heed_rows rows) {
  context->kernels->linear_backward_input(d_x, d_y, context->parameters + linear->weight, rows.starts, rows.slices, linear->inputs,
                                          linear->outputs, add);
  context->kernels->linear_backward_weight(context->gradients + linear->weight, context->gradients + linear->bias, d_y, x, rows.starts,
                                           rows.slices, linear->inputs, linear->outputs, heed_thread_scratch(context));
}
