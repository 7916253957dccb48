#include "layers/sublayer.h"

#include <string.h>

enum { BLOCK = 4096 }; /* floats a thread takes at a time */

heed_status heed_sublayer_plan(heed_sublayer *sublayer, heed_plan *plan, const heed_sublayer_spec *spec) {
  const heed_model_config *config = spec->body.config;
  size_t floats = (size_t)plan->tokens * (size_t)config->hidden;
  *sublayer = (heed_sublayer){.operations = spec->operations, .form = spec->form, .dropout = config->dropout, .width = config->hidden};
  sublayer->out = heed_arena_reserve(plan->arena, floats, sizeof(float));
  size_t mark = heed_arena_mark(plan->arena);
  if (spec->form == HEED_SUBLAYER_PRE_NORM) /* registered in the order of the data */
    HEED_TRY(heed_layer_norm_plan(&sublayer->norm, plan, spec->norm, config, plan->tokens));
  HEED_TRY(spec->operations->plan(&sublayer->body, plan, &spec->body));
  sublayer->site = plan->next_site++;
  if (spec->form == HEED_SUBLAYER_POST_NORM)
    HEED_TRY(heed_layer_norm_plan(&sublayer->norm, plan, spec->norm, config, plan->tokens));
  sublayer->inner = heed_arena_reserve(plan->arena, spec->form == HEED_SUBLAYER_NO_NORM ? 0 : floats, sizeof(float));
  if (plan->training) { /* nothing that backward works on outlives it: all sublayers share this space */
    mark = heed_arena_mark(plan->arena);
    sublayer->d_body = heed_arena_reserve(plan->arena, floats, sizeof(float));
    if (spec->form == HEED_SUBLAYER_PRE_NORM)
      sublayer->d_normalised = heed_arena_reserve(plan->arena, floats, sizeof(float));
    spec->operations->plan_backward(&sublayer->body, plan);
  }
  heed_arena_release(plan->arena, mark); /* without backward, what forward saves is shared too */
  return HEED_OK;
}

const float *heed_sublayer_forward(const heed_context *context, const float *x, const heed_sublayer *sublayer) {
  const heed_stream *stream = context->stream;
  heed_dropout dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site);
  heed_rows rows = heed_token_rows(context);
  float *inner = heed_buffer(context, sublayer->inner), *out = heed_buffer(context, sublayer->out);
  bool post = sublayer->form == HEED_SUBLAYER_POST_NORM, pre = sublayer->form == HEED_SUBLAYER_PRE_NORM;
  float *sum = post ? inner : out;
#pragma omp parallel
  {
    if (pre)
      heed_layer_norm_forward(context, inner, x, &sublayer->norm, rows);
    sublayer->operations->forward(context, sum, pre ? inner : x, &sublayer->body);
    context->kernels->dropout_forward(sum, sum, x, stream->sequence_of, stream->offsets, stream->tokens, sublayer->width, &dropout);
    if (post)
      heed_layer_norm_forward(context, out, sum, &sublayer->norm, rows);
  }
  return out;
}

static void clear(float *y, int64_t count) {
#pragma omp for schedule(static)
  for (int64_t i = 0; i < count; i += BLOCK)
    memset(y + i, 0, (size_t)(count - i < BLOCK ? count - i : BLOCK) * sizeof *y);
}

static void add(const heed_context *context, float *y, const float *x, int64_t count) {
#pragma omp for schedule(static)
  for (int64_t i = 0; i < count; i += BLOCK)
    context->kernels->add(y + i, x + i, count - i < BLOCK ? count - i : BLOCK);
}

void heed_sublayer_backward(const heed_context *context, float *gradient, const float *x, const heed_sublayer *sublayer) {
  const heed_stream *stream = context->stream;
  heed_dropout dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site);
  heed_rows rows = heed_token_rows(context);
  int64_t floats = stream->tokens * sublayer->width;
  const float *inner = heed_buffer(context, sublayer->inner);
  float *d_body = heed_buffer(context, sublayer->d_body), *d_normalised = heed_buffer(context, sublayer->d_normalised);
  bool post = sublayer->form == HEED_SUBLAYER_POST_NORM, pre = sublayer->form == HEED_SUBLAYER_PRE_NORM;
#pragma omp parallel
  {
    if (post)
      heed_layer_norm_backward(context, gradient, gradient, inner, &sublayer->norm, rows);
    if (pre)
      clear(d_normalised, floats);
    context->kernels->dropout_backward(d_body, gradient, stream->sequence_of, stream->offsets, stream->tokens, sublayer->width, &dropout);
    sublayer->operations->backward(context, pre ? d_normalised : gradient, d_body, pre ? inner : x, &sublayer->body);
    if (pre) {
      heed_layer_norm_backward(context, d_normalised, d_normalised, x, &sublayer->norm, rows);
      add(context, gradient, d_normalised, floats);
    }
  }
}
