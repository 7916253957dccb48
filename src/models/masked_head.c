#include "models/masked_head.h"

heed_status heed_masked_head_plan(heed_masked_head *head, heed_plan *plan, const heed_model_config *config,
                                  const heed_embedding *embedding) {
  static const char *const dense[1] = {"cls.predictions.transform.dense"};
  heed_parameter bias = {
      .name = "cls.predictions.bias", .rank = 1, .shape = {config->vocabulary_size}, .initialisation = HEED_INIT_ZEROS, .shard_axis = 0};
  size_t targets = (size_t)plan->targets, floats = targets * (size_t)config->hidden;
  *head = (heed_masked_head){.tanh_form = config->activation == HEED_GELU_TANH};
  head->decoder =
      (heed_linear){.inputs = config->hidden, .outputs = config->vocabulary_size, .weight = embedding->words, .bias = plan->table->total};
  HEED_TRY(heed_parameters_add(plan->table, &bias, NULL));
  HEED_TRY(heed_linear_plan(&head->dense, plan, dense, 1, config->hidden, config->hidden, (float)config->initializer_range));
  HEED_TRY(heed_layer_norm_plan(&head->norm, plan, "cls.predictions.transform.LayerNorm", config->hidden, config->layer_norm_epsilon,
                                plan->targets));
  head->hidden = heed_arena_reserve(plan->arena, floats, sizeof(float));
  head->before = heed_arena_reserve(plan->arena, floats, sizeof(float));
  head->after = heed_arena_reserve(plan->arena, floats, sizeof(float));
  head->normed = heed_arena_reserve(plan->arena, floats, sizeof(float));
  head->logits = heed_arena_reserve(plan->arena, targets * (size_t)config->vocabulary_size, sizeof(float));
  head->losses = heed_arena_reserve(plan->arena, targets, sizeof(double));
  if (plan->training) {
    size_t mark = heed_arena_mark(plan->arena);
    head->d_normed = heed_arena_reserve(plan->arena, floats, sizeof(float));
    head->d_hidden = heed_arena_reserve(plan->arena, floats, sizeof(float));
    heed_arena_release(plan->arena, mark);
  }
  return HEED_OK;
}

heed_status heed_masked_head_tie(heed_masked_head *head, heed_plan *plan, const heed_embedding *embedding) {
  return heed_parameters_tie(plan->table, embedding->words_index, &head->tied_gradient);
}

const float *heed_masked_head_forward(const heed_context *context, const float *hidden, const heed_masked_head *head) {
  const heed_batch *batch = context->batch;
  heed_rows rows = heed_target_rows(context);
  float *x = heed_buffer(context, head->hidden), *before = heed_buffer(context, head->before), *after = heed_buffer(context, head->after),
        *normed = heed_buffer(context, head->normed), *logits = heed_buffer(context, head->logits);
#pragma omp parallel
  {
    context->kernels->gather_rows(x, hidden, batch->target_tokens, batch->targets, head->dense.inputs);
    heed_linear_forward(context, before, x, &head->dense, rows);
    context->kernels->activation_forward(after, before, batch->targets * head->dense.outputs,
                                         head->tanh_form ? HEED_FORM_GELU_TANH : HEED_FORM_GELU);
    heed_layer_norm_forward(context, normed, after, &head->norm, rows);
    heed_linear_forward(context, logits, normed, &head->decoder, rows);
  }
  return logits;
}

const double *heed_masked_head_loss(const heed_context *context, const heed_masked_head *head) {
  const heed_batch *batch = context->batch;
  float *logits = heed_buffer(context, head->logits);
  double *losses = heed_arena_at(context->arena, head->losses);
#pragma omp parallel
  context->kernels->softmax_cross_entropy(losses, context->training ? logits : NULL, logits, batch->target_ids, batch->targets,
                                          head->decoder.outputs, 1.0f);
  return losses;
}

void heed_masked_head_backward(const heed_context *context, float *d_hidden, const heed_masked_head *head) {
  const heed_batch *batch = context->batch;
  const heed_kernels *kernels = context->kernels;
  heed_rows rows = heed_target_rows(context);
  const float *d_logits = heed_buffer(context, head->logits), *before = heed_buffer(context, head->before),
              *after = heed_buffer(context, head->after), *normed = heed_buffer(context, head->normed);
  float *d_normed = heed_buffer(context, head->d_normed), *d_x = heed_buffer(context, head->d_hidden);
  int64_t width = head->dense.inputs;
#pragma omp parallel
  {
    /* The decoder's gradient has places of its own: the bias in the table, the weight behind it (tied). */
    kernels->linear_backward_input(d_normed, d_logits, context->parameters + head->decoder.weight, rows.starts, rows.slices, width,
                                   head->decoder.outputs, false);
    kernels->linear_backward_weight(context->gradients + head->tied_gradient, context->gradients + head->decoder.bias, d_logits, normed,
                                    rows.starts, rows.slices, width, head->decoder.outputs, heed_thread_scratch(context));
    heed_layer_norm_backward(context, d_normed, d_normed, after, &head->norm, rows);
    kernels->activation_backward(d_normed, d_normed, before, batch->targets * width,
                                 head->tanh_form ? HEED_FORM_GELU_TANH : HEED_FORM_GELU);
    heed_linear_backward(context, d_x, false, d_normed, heed_buffer(context, head->hidden), &head->dense, rows);
    kernels->scatter_rows(d_hidden, d_x, batch->target_tokens, batch->targets, width);
  }
}
