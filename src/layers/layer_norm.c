#include "layers/layer_norm.h"

#include <stdio.h>

heed_status heed_layer_norm_register(heed_layer_norm *norm, heed_plan *plan, const char *name, const heed_model_config *config) {
  heed_parameter gamma = {.rank = 1, .shape = {config->hidden}, .initialisation = HEED_INIT_ONES, .shard_axis = -1};
  heed_parameter beta = {.rank = 1, .shape = {config->hidden}, .initialisation = HEED_INIT_ZEROS, .shard_axis = -1};
  snprintf(gamma.name, sizeof gamma.name, "%s.weight", name);
  snprintf(beta.name, sizeof beta.name, "%s.bias", name);
  *norm = (heed_layer_norm){.width = config->hidden, .epsilon = (float)config->layer_norm_epsilon, .gamma = plan->table->total, .beta = -1};
  HEED_TRY(heed_parameters_add(plan->table, &gamma, NULL));
  if (config->biases) {
    norm->beta = plan->table->total;
    HEED_TRY(heed_parameters_add(plan->table, &beta, NULL));
  }
  return HEED_OK;
}

void heed_layer_norm_reserve(heed_layer_norm *norm, heed_plan *plan, int64_t rows) {
  norm->mean = heed_arena_reserve(plan->arena, (size_t)rows, sizeof(float));
  norm->rstd = heed_arena_reserve(plan->arena, (size_t)rows, sizeof(float));
  if (plan->training)
    heed_plan_workspace(plan, plan->kernels->layer_norm_workspace(rows, plan->slices, norm->width));
}

heed_status heed_layer_norm_plan(heed_layer_norm *norm, heed_plan *plan, const char *name, const heed_model_config *config, int64_t rows) {
  HEED_TRY(heed_layer_norm_register(norm, plan, name, config));
  heed_layer_norm_reserve(norm, plan, rows);
  return HEED_OK;
}

void heed_layer_norm_forward(const heed_context *context, float *y, void *elements, const float *x, const heed_layer_norm *norm,
                             heed_rows rows) {
  if (elements == y)
    elements = NULL;
  context->kernels->layer_norm_forward(y, elements, heed_buffer(context, norm->mean), heed_buffer(context, norm->rstd), x,
                                       heed_weights(context, norm->gamma), heed_weights(context, norm->beta), heed_row_count(rows),
                                       norm->width, norm->epsilon);
}

void heed_layer_norm_backward(const heed_context *context, float *d_x, bool add, const float *d_y, const float *x,
                              const heed_layer_norm *norm, heed_rows rows) {
  context->kernels->layer_norm_backward(d_x, add, heed_gradient(context, norm->gamma), heed_gradient(context, norm->beta), d_y, x,
                                        heed_buffer(context, norm->mean), heed_buffer(context, norm->rstd),
                                        heed_weights(context, norm->gamma), rows.starts, rows.slices, norm->width, context->workspace,
                                        heed_thread_scratch(context));
}
