#include "models/next_sentence_head.h"

heed_status heed_next_sentence_head_plan(heed_next_sentence_head *head, heed_plan *plan, const heed_model_config *config,
                                         const char *pooler) {
  const char *poolers[1] = {pooler};
  static const char *const classifiers[1] = {"cls.seq_relationship"};
  size_t sequences = (size_t)plan->sequences, floats = sequences * (size_t)config->hidden;
  heed_linear_spec dense = {config->hidden, config->hidden, config->initializer_range, config->biases}, two = dense;
  two.outputs = 2;
  *head = (heed_next_sentence_head){0};
  HEED_TRY(heed_linear_plan(&head->pooler, plan, poolers, 1, &dense));
  HEED_TRY(heed_linear_plan(&head->classifier, plan, classifiers, 1, &two));
  head->first = heed_arena_reserve(plan->arena, floats, sizeof(float));
  head->pooled = heed_arena_reserve(plan->arena, floats, sizeof(float));
  head->logits = heed_arena_reserve(plan->arena, 2 * sequences, sizeof(float));
  head->losses = heed_arena_reserve(plan->arena, sequences, sizeof(double));
  if (plan->training) {
    size_t mark = heed_arena_mark(plan->arena);
    head->d_pooled = heed_arena_reserve(plan->arena, floats, sizeof(float));
    head->d_first = heed_arena_reserve(plan->arena, floats, sizeof(float));
    heed_arena_release(plan->arena, mark);
  }
  return HEED_OK;
}

const float *heed_next_sentence_head_forward(const heed_context *context, const float *hidden, const heed_next_sentence_head *head) {
  const heed_stream *stream = &context->batch->stream;
  heed_rows rows = heed_sequence_rows(context);
  float *first = heed_buffer(context, head->first), *pooled = heed_buffer(context, head->pooled),
        *logits = heed_buffer(context, head->logits);
#pragma omp parallel
  {
    context->kernels->gather_rows(first, hidden, stream->offsets, stream->sequences, head->pooler.inputs);
    heed_linear_forward(context, pooled, first, &head->pooler, rows);
    context->kernels->tanh_forward(pooled, pooled, stream->sequences * head->pooler.outputs);
    heed_linear_forward(context, logits, pooled, &head->classifier, rows);
  }
  return logits;
}

const double *heed_next_sentence_head_loss(const heed_context *context, float scale, const heed_next_sentence_head *head) {
  const heed_batch *batch = context->batch;
  float *logits = heed_buffer(context, head->logits);
  double *losses = heed_arena_at(context->arena, head->losses);
#pragma omp parallel
  context->kernels->softmax_cross_entropy(losses, context->training ? logits : NULL, logits, batch->next_sentence, batch->stream.sequences,
                                          2, scale);
  return losses;
}

void heed_next_sentence_head_backward(const heed_context *context, float *d_hidden, const heed_next_sentence_head *head) {
  const heed_stream *stream = &context->batch->stream;
  heed_rows rows = heed_sequence_rows(context);
  const float *pooled = heed_buffer(context, head->pooled);
  float *d_pooled = heed_buffer(context, head->d_pooled), *d_first = heed_buffer(context, head->d_first);
#pragma omp parallel
  {
    heed_linear_backward(context, d_pooled, false, heed_buffer(context, head->logits), pooled, &head->classifier, rows);
    context->kernels->tanh_backward(d_pooled, d_pooled, pooled, stream->sequences * head->pooler.outputs);
    heed_linear_backward(context, d_first, false, d_pooled, heed_buffer(context, head->first), &head->pooler, rows);
    context->kernels->scatter_rows(d_hidden, d_first, stream->offsets, stream->sequences, head->pooler.inputs);
  }
}
