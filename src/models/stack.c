#include "models/stack.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pulse.h"
#include "layers/block.h"
#include "layers/positions.h"

/* ---- planning ---- */

static void plan_positions(heed_stack *stack, heed_plan *plan) {
  const heed_model_config *config = stack->config;
  size_t rows = (size_t)config->max_positions, width = (size_t)(config->hidden / config->heads);
  if (heed_positions_are_waves(config))
    plan->waves = heed_arena_reserve(plan->arena, rows * (size_t)config->hidden, sizeof(float));
  if (config->positions == HEED_POSITIONS_ROTARY) {
    plan->rotary = heed_arena_reserve(plan->arena, rows * width, sizeof(float));
    plan->rotary_local = heed_arena_reserve(plan->arena, rows * width, sizeof(float));
  }
  stack->waves = plan->waves;
  stack->rotary = plan->rotary;
  stack->rotary_local = plan->rotary_local;
}

/* What is normalised already is not normalised again: behind a norm of the embeddings the first sublayer has none. */
static heed_sublayer_form form_of(const heed_model_config *config, int64_t sublayer) {
  if (config->norm == HEED_NORM_POST)
    return HEED_SUBLAYER_POST_NORM;
  return sublayer == 0 && config->embedding_norm ? HEED_SUBLAYER_NO_NORM : HEED_SUBLAYER_PRE_NORM;
}

/* The block of a sublayer. */
static heed_block block_of(const heed_stack *stack, int64_t sublayer) {
  heed_sublayer *first = stack->sublayers + sublayer / stack->block_sublayers * stack->block_sublayers;
  return (heed_block){first, stack->block_sublayers, first > stack->sublayers ? first - 1 : NULL};
}

static heed_status plan_block(heed_stack *stack, heed_plan *plan, const heed_family *family, int64_t number) {
  const heed_model_config *config = stack->config;
  heed_sublayer_spec specs[HEED_MAX_SUBLAYERS];
  char prefix[96], norms[HEED_MAX_SUBLAYERS][160];
  int64_t first = number * family->sublayer_count;
  double deviation = config->initializer_range;
  if (family->residual_scaled)
    deviation /= sqrt((double)stack->sublayer_count);
  snprintf(prefix, sizeof prefix, family->block, (int)number);
  for (int i = 0; i < family->sublayer_count; i++) {
    const heed_sublayer_row *row = &family->sublayers[i];
    snprintf(norms[i], sizeof norms[i], "%s%s", prefix, row->norm);
    specs[i] = (heed_sublayer_spec){.operations = row->body,
                                    .body = {config, prefix, row->names, number, deviation},
                                    .form = form_of(config, first + i),
                                    .norm = norms[i]};
  }
  heed_block block = block_of(stack, first);
  return heed_block_plan(&block, plan, specs);
}

heed_status heed_stack_plan(heed_stack *stack, heed_plan *plan, const heed_model_config *config, const heed_family *family) {
  const heed_embedding_spec embedding = {config, family->embeddings, family->embedding_norm,
                                         family->position_share * config->initializer_range};
  stack->config = config;
  plan_positions(stack, plan);
  HEED_TRY(heed_embedding_plan(&stack->embedding, plan, &embedding));
  stack->block_sublayers = family->sublayer_count;
  stack->sublayer_count = config->layers * family->sublayer_count;
  stack->sublayers = calloc((size_t)stack->sublayer_count, sizeof *stack->sublayers);
  if (!stack->sublayers)
    return heed_error(HEED_FAILED, "out of memory for %lld layers", (long long)config->layers);
  for (int64_t i = 0; i < config->layers; i++)
    HEED_TRY(plan_block(stack, plan, family, i));
  stack->behind = plan->table->total;
  stack->has_final_norm = config->norm == HEED_NORM_PRE;
  if (!stack->has_final_norm)
    return HEED_OK;
  stack->normed = heed_arena_reserve(plan->arena, (size_t)(plan->tokens * config->hidden), sizeof(float));
  return heed_layer_norm_plan(&stack->final_norm, plan, family->final_norm, config, plan->tokens);
}

void heed_stack_fill(const heed_stack *stack, const heed_arena *arena) {
  const heed_model_config *config = stack->config;
  if (heed_positions_are_waves(config))
    heed_positions_waves(heed_arena_at(arena, stack->waves), config);
  if (config->positions == HEED_POSITIONS_ROTARY) {
    heed_positions_turns(heed_arena_at(arena, stack->rotary), config, config->rotary_theta);
    heed_positions_turns(heed_arena_at(arena, stack->rotary_local), config, config->rotary_theta_local);
  }
}

void heed_stack_free(heed_stack *stack) {
  free(stack->sublayers);
  stack->sublayers = NULL;
}

/* ---- running ---- */

heed_hidden heed_stack_forward(const heed_context *context, const heed_stack *stack) {
  heed_hidden x = heed_embedding_forward(context, &stack->embedding);
  for (int64_t i = 0; i < stack->sublayer_count; i++) {
    x = heed_sublayer_forward(context, x, &stack->sublayers[i]);
    heed_pulse_beat();
  }
  if (stack->has_final_norm) {
    float *normed = heed_buffer(context, stack->normed);
#pragma omp parallel
    heed_layer_norm_forward(context, normed, NULL, x.values, &stack->final_norm, heed_token_rows(context));
    x = (heed_hidden){.values = normed};
  }
  return x;
}

static heed_hidden input_of(const heed_stack *stack, const heed_context *context, int64_t sublayer) {
  if (sublayer == 0)
    return heed_embedding_output(context, &stack->embedding);
  return heed_sublayer_output(context, &stack->sublayers[sublayer - 1]);
}

/* What backward of the sublayer reads and forward did not keep. */
static void remake(const heed_stack *stack, const heed_context *context, int64_t sublayer) {
  heed_block block = block_of(stack, sublayer);
  int64_t first = block.sublayers - stack->sublayers;
  heed_block_remake(context, input_of(stack, context, first), &block, sublayer - first);
}

static void tell(heed_gradients_ready *ready, void *self, int64_t first) {
  if (ready)
    ready(self, first);
}

void heed_stack_backward(const heed_context *context, float *gradient, const heed_stack *stack, heed_gradients_ready *ready, void *self) {
  heed_pulse_enter(HEED_PHASE_BACKWARD);
  if (stack->has_final_norm) {
    heed_hidden x = input_of(stack, context, stack->sublayer_count);
#pragma omp parallel
    heed_layer_norm_backward(context, gradient, false, gradient, x.values, &stack->final_norm, heed_token_rows(context));
  }
  tell(ready, self, stack->behind);
  for (int64_t i = stack->sublayer_count - 1; i >= 0; i--) {
    remake(stack, context, i);
    heed_sublayer_backward(context, gradient, input_of(stack, context, i), &stack->sublayers[i]);
    tell(ready, self, stack->sublayers[i].first_parameter);
    heed_pulse_beat();
  }
  heed_embedding_backward(context, gradient, &stack->embedding);
  tell(ready, self, 0);
}
