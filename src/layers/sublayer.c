#include "layers/sublayer.h"

heed_status heed_sublayer_plan(heed_sublayer *sublayer, heed_plan *plan, const heed_body_operations *operations,
                               const heed_model_config *config, const char *prefix, const char *norm) {
  size_t floats = (size_t)plan->tokens * (size_t)config->hidden;
  *sublayer = (heed_sublayer){.operations = operations, .dropout = config->dropout};
  sublayer->out = heed_arena_reserve(plan->arena, floats, sizeof(float));
  size_t mark = heed_arena_mark(plan->arena);
  HEED_TRY(operations->plan(&sublayer->body, plan, config, prefix));
  sublayer->site = plan->next_site++;
  HEED_TRY(heed_layer_norm_plan(&sublayer->norm, plan, norm, config->hidden, config->layer_norm_epsilon, plan->tokens));
  sublayer->sum = heed_arena_reserve(plan->arena, floats, sizeof(float));
  if (plan->training) { /* nothing that backward works on outlives it: all sublayers share this space */
    mark = heed_arena_mark(plan->arena);
    sublayer->d_body = heed_arena_reserve(plan->arena, floats, sizeof(float));
    operations->plan_backward(&sublayer->body, plan);
  }
  heed_arena_release(plan->arena, mark); /* without backward, what forward saves is shared too */
  return HEED_OK;
}

const float *heed_sublayer_forward(const heed_context *context, const float *x, const heed_sublayer *sublayer) {
  const heed_stream *stream = &context->batch->stream;
  heed_dropout dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site);
  float *sum = heed_buffer(context, sublayer->sum), *out = heed_buffer(context, sublayer->out);
#pragma omp parallel
  {
    sublayer->operations->forward(context, sum, x, &sublayer->body);
    context->kernels->dropout_forward(sum, sum, x, stream->sequence_of, stream->offsets, stream->tokens, sublayer->norm.width, &dropout);
    heed_layer_norm_forward(context, out, sum, &sublayer->norm, heed_token_rows(context));
  }
  return out;
}

void heed_sublayer_backward(const heed_context *context, float *gradient, const float *x, const heed_sublayer *sublayer) {
  const heed_stream *stream = &context->batch->stream;
  heed_dropout dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site);
  float *d_body = heed_buffer(context, sublayer->d_body);
#pragma omp parallel
  {
    heed_layer_norm_backward(context, gradient, gradient, heed_buffer(context, sublayer->sum), &sublayer->norm, heed_token_rows(context));
    context->kernels->dropout_backward(d_body, gradient, stream->sequence_of, stream->offsets, stream->tokens, sublayer->norm.width,
                                       &dropout);
    sublayer->operations->backward(context, gradient, d_body, x, &sublayer->body);
  }
}
