#include "models/token_head.h"

#include <stdio.h>

#include "layers/feed_forward.h"

static heed_status plan_transform(heed_token_head *head, heed_plan *plan, const heed_model_config *config,
                                  const heed_token_head_names *names) {
  heed_linear_spec dense = {config->hidden, config->hidden, config->initializer_range, config->biases};
  bool gated; /* the transform is plain, whatever the layers are */
  head->form = heed_activation_form_of(config->activation, &gated);
  HEED_TRY(heed_linear_plan(&head->dense, plan, &names->dense, 1, &dense));
  return heed_layer_norm_plan(&head->norm, plan, names->norm, config, plan->targets);
}

heed_status heed_token_head_plan(heed_token_head *head, heed_plan *plan, const heed_model_config *config, const heed_embedding *embedding,
                                 const heed_token_head_names *names) {
  int64_t targets = plan->targets, width = config->hidden, vocabulary = config->vocabulary_size;
  *head = (heed_token_head){.transforms = names->dense != NULL};
  head->decoder = (heed_linear){
      .inputs = config->hidden, .outputs = config->vocabulary_size, .weight = embedding->tables[HEED_EMBED_WORDS].at, .bias = -1};
  if (names->bias) {
    heed_parameter bias = {.rank = 1, .shape = {config->vocabulary_size}, .initialisation = HEED_INIT_ZEROS, .shard_axis = 0};
    snprintf(bias.name, sizeof bias.name, "%s", names->bias);
    head->decoder.bias = plan->table->total;
    HEED_TRY(heed_parameters_add(plan->table, &bias, NULL));
  }
  if (head->transforms)
    HEED_TRY(plan_transform(head, plan, config, names));
  heed_linear_plan_rows(plan, &head->decoder, targets);
  head->hidden = heed_reserve_elements(plan, targets, width);
  head->normed = head->hidden;
  if (head->transforms) {
    heed_linear_plan_rows(plan, &head->dense, targets);
    head->before = heed_reserve_elements(plan, targets, width);
    head->after = heed_reserve_floats(plan, targets, width);
    head->normed = heed_reserve_elements(plan, targets, width);
  }
  head->logits = heed_reserve_floats(plan, targets, vocabulary);
  head->losses = heed_arena_reserve(plan->arena, (size_t)targets, sizeof(double));
  if (plan->training) {
    size_t mark = heed_arena_mark(plan->arena);
    head->d_logits = heed_reserve_elements_beside(plan, head->logits, targets, vocabulary);
    head->d_normed = heed_reserve_floats(plan, targets, width);
    head->d_before = head->transforms ? heed_reserve_elements(plan, targets, width) : 0;
    head->d_hidden = head->transforms ? heed_reserve_floats(plan, targets, width) : head->d_normed;
    heed_arena_release(plan->arena, mark);
  }
  return HEED_OK;
}

heed_status heed_token_head_tie(heed_token_head *head, heed_plan *plan, const heed_embedding *embedding) {
  return heed_parameters_tie(plan->table, embedding->words_index, &head->tied_gradient);
}

const float *heed_token_head_forward(const heed_context *context, const float *hidden, const heed_token_head *head) {
  const heed_batch *batch = context->batch;
  heed_rows rows = heed_target_rows(context);
  void *x = heed_buffer(context, head->hidden), *normed = heed_buffer(context, head->normed);
  float *after = heed_buffer(context, head->after), *logits = heed_buffer(context, head->logits);
#pragma omp parallel
  {
    context->kernels->gather_rows(x, hidden, batch->target_tokens, batch->targets, head->decoder.inputs);
    if (head->transforms) {
      heed_linear_activation_forward(context, after, true, heed_buffer(context, head->before), x, head->form, &head->dense, rows);
      heed_layer_norm_forward(context, NULL, normed, after, &head->norm, rows);
    }
    heed_linear_forward(context, logits, true, normed, &head->decoder, rows);
  }
  return logits;
}

const double *heed_token_head_loss(const heed_context *context, const heed_token_head *head) {
  const heed_batch *batch = context->batch;
  void *d_logits = context->training ? heed_buffer(context, head->d_logits) : NULL;
  double *losses = heed_arena_at(context->arena, head->losses);
#pragma omp parallel
  context->kernels->softmax_cross_entropy(losses, d_logits, heed_buffer(context, head->logits), batch->target_ids, batch->targets,
                                          head->decoder.outputs, 1.0f);
  return losses;
}

void heed_token_head_backward(const heed_context *context, float *d_hidden, const heed_token_head *head) {
  const heed_batch *batch = context->batch;
  const heed_kernels *kernels = context->kernels;
  heed_rows rows = heed_target_rows(context);
  const void *d_logits = heed_buffer(context, head->d_logits), *normed = heed_buffer(context, head->normed);
  float *d_normed = heed_buffer(context, head->d_normed), *d_x = heed_buffer(context, head->d_hidden);
  void *d_before = heed_buffer(context, head->d_before);
  int64_t width = head->decoder.inputs;
#pragma omp parallel
  {
    /* The decoder's gradient has places of its own: the bias in the table, the weight behind it (tied). */
    heed_linear_backward_input(context, d_normed, true, false, d_logits, &head->decoder, rows);
    kernels->linear_backward_weight(context->gradients + head->tied_gradient, heed_gradient(context, head->decoder.bias), d_logits, normed,
                                    rows.starts, rows.slices, width, head->decoder.outputs, context->workspace,
                                    heed_thread_scratch(context));
    if (head->transforms) {
      heed_layer_norm_backward(context, d_normed, false, d_normed, heed_buffer(context, head->after), &head->norm, rows);
      kernels->activation_backward(d_before, d_normed, heed_buffer(context, head->before), batch->targets * width, head->form);
      heed_linear_backward_input(context, d_x, true, false, d_before, &head->dense, rows);
      heed_linear_backward_weight(context, d_before, heed_buffer(context, head->hidden), &head->dense, rows);
    }
    kernels->scatter_rows(d_hidden, d_x, batch->target_tokens, batch->targets, width);
  }
}
