#include "models/next_sentence_head.h"

heed_status heed_next_sentence_head_plan(heed_next_sentence_head *head, heed_plan *plan, const heed_model_config *config,
                                         const char *pooler) {
  const char *poolers[1] = {pooler};
  static const char *const classifiers[1] = {"cls.seq_relationship"};
  int64_t sequences = plan->sequences, width = config->hidden;
  heed_linear_spec dense = {config->hidden, config->hidden, config->initializer_range, config->biases, HEED_SPLIT_NOTHING, 1}, two = dense;
  two.outputs = 2;
  *head = (heed_next_sentence_head){0};
  HEED_TRY(heed_linear_plan(&head->pooler, plan, poolers, 1, &dense));
  HEED_TRY(heed_linear_plan(&head->classifier, plan, classifiers, 1, &two));
  heed_linear_plan_rows(plan, &head->pooler, sequences);
  head->first = heed_reserve_elements(plan, sequences, width);
  head->pooled = heed_reserve_elements(plan, sequences, width);
  head->logits = heed_reserve_floats(plan, sequences, 2);
  head->losses = heed_arena_reserve(plan->arena, (size_t)sequences, sizeof(double));
  if (plan->training) {
    size_t mark = heed_arena_mark(plan->arena);
    head->d_logits = heed_reserve_elements_beside(plan, head->logits, sequences, 2);
    head->d_pooled = heed_reserve_elements(plan, sequences, width);
    head->d_first = heed_reserve_floats(plan, sequences, width);
    heed_arena_release(plan->arena, mark);
  }
  return HEED_OK;
}

const float *heed_next_sentence_head_forward(const heed_context *context, const float *hidden, const heed_next_sentence_head *head) {
  const heed_stream *stream = &context->batch->stream;
  heed_rows rows = heed_sequence_rows(context);
  void *first = heed_buffer(context, head->first), *pooled = heed_buffer(context, head->pooled);
  float *logits = heed_buffer(context, head->logits);
#pragma omp parallel
  {
    context->kernels->gather_rows(first, hidden, stream->offsets, stream->sequences, head->pooler.inputs);
    heed_linear_forward(context, pooled, false, first, &head->pooler, rows);
    context->kernels->tanh_forward(pooled, pooled, stream->sequences * head->pooler.outputs);
    heed_linear_forward(context, logits, true, pooled, &head->classifier, rows);
  }
  return logits;
}

const double *heed_next_sentence_head_loss(const heed_context *context, float scale, const heed_next_sentence_head *head) {
  const heed_batch *batch = context->batch;
  void *d_logits = context->training ? heed_buffer(context, head->d_logits) : NULL;
  double *losses = heed_arena_at(context->arena, head->losses);
#pragma omp parallel
  context->kernels->softmax_cross_entropy(losses, d_logits, heed_buffer(context, head->logits), batch->next_sentence,
                                          batch->stream.sequences, 2, scale);
  return losses;
}

void heed_next_sentence_head_backward(const heed_context *context, float *d_hidden, const heed_next_sentence_head *head) {
  const heed_stream *stream = &context->batch->stream;
  heed_rows rows = heed_sequence_rows(context);
  const void *pooled = heed_buffer(context, head->pooled), *d_logits = heed_buffer(context, head->d_logits);
  void *d_pooled = heed_buffer(context, head->d_pooled);
  float *d_first = heed_buffer(context, head->d_first);
#pragma omp parallel
  {
    heed_linear_backward_input(context, d_pooled, false, false, d_logits, &head->classifier, rows);
    heed_linear_backward_weight(context, d_logits, pooled, &head->classifier, rows);
    context->kernels->tanh_backward(d_pooled, d_pooled, pooled, stream->sequences * head->pooler.outputs);
    heed_linear_backward_input(context, d_first, true, false, d_pooled, &head->pooler, rows);
    heed_linear_backward_weight(context, d_pooled, heed_buffer(context, head->first), &head->pooler, rows);
    context->kernels->scatter_rows(d_hidden, d_first, stream->offsets, stream->sequences, head->pooler.inputs);
  }
}
