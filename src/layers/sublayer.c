#include "layers/sublayer.h"

#include <string.h>

enum { BLOCK = 4096 }; /* floats a thread takes at a time */

heed_status heed_sublayer_plan(heed_sublayer *sublayer, heed_plan *plan, const heed_sublayer_spec *spec) {
  const heed_model_config *config = spec->body.config;
  int64_t tokens = plan->tokens, width = config->hidden;
  *sublayer = (heed_sublayer){.operations = spec->operations, .form = spec->form, .dropout = config->dropout, .width = config->hidden};
  sublayer->out = heed_reserve_floats(plan, tokens, width);
  if (spec->form == HEED_SUBLAYER_POST_NORM)
    sublayer->elements = heed_reserve_elements_beside(plan, sublayer->out, tokens, width);
  size_t mark = heed_arena_mark(plan->arena);
  if (spec->form == HEED_SUBLAYER_PRE_NORM) /* registered in the order of the data */
    HEED_TRY(heed_layer_norm_plan(&sublayer->norm, plan, spec->norm, config, plan->tokens));
  HEED_TRY(spec->operations->plan(&sublayer->body, plan, &spec->body));
  sublayer->site = plan->next_site++;
  if (spec->form == HEED_SUBLAYER_POST_NORM)
    HEED_TRY(heed_layer_norm_plan(&sublayer->norm, plan, spec->norm, config, plan->tokens));
  if (spec->form != HEED_SUBLAYER_NO_NORM)
    sublayer->inner =
        spec->form == HEED_SUBLAYER_POST_NORM ? heed_reserve_floats(plan, tokens, width) : heed_reserve_elements(plan, tokens, width);
  if (plan->training) { /* nothing that backward works on outlives it: all sublayers share this space */
    mark = heed_arena_mark(plan->arena);
    sublayer->d_body = heed_reserve_elements(plan, tokens, width);
    if (spec->form == HEED_SUBLAYER_PRE_NORM)
      sublayer->d_normalised = heed_reserve_floats(plan, tokens, width);
    spec->operations->plan_backward(&sublayer->body, plan);
  }
  heed_arena_release(plan->arena, mark); /* without backward, what forward saves is shared too */
  return HEED_OK;
}

heed_hidden heed_sublayer_output(const heed_context *context, const heed_sublayer *sublayer) {
  bool post = sublayer->form == HEED_SUBLAYER_POST_NORM;
  return (heed_hidden){heed_buffer(context, sublayer->out), post ? heed_buffer(context, sublayer->elements) : NULL};
}

heed_hidden heed_sublayer_forward(const heed_context *context, heed_hidden x, const heed_sublayer *sublayer) {
  const heed_stream *stream = context->stream;
  heed_dropout dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site);
  heed_rows rows = heed_token_rows(context);
  bool post = sublayer->form == HEED_SUBLAYER_POST_NORM, pre = sublayer->form == HEED_SUBLAYER_PRE_NORM;
  void *inner = heed_buffer(context, sublayer->inner);
  float *out = heed_buffer(context, sublayer->out), *sum = post ? inner : out;
#pragma omp parallel
  {
    if (pre)
      heed_layer_norm_forward(context, NULL, inner, x.values, &sublayer->norm, rows);
    sublayer->operations->forward(context, sum, pre ? inner : x.elements, &sublayer->body);
    context->kernels->dropout_forward(sum, sum, x.values, stream->sequence_of, stream->offsets, stream->tokens, sublayer->width, &dropout);
    if (post)
      heed_layer_norm_forward(context, out, heed_buffer(context, sublayer->elements), sum, &sublayer->norm, rows);
  }
  return heed_sublayer_output(context, sublayer);
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

void heed_sublayer_backward(const heed_context *context, float *gradient, heed_hidden x, const heed_sublayer *sublayer) {
  const heed_stream *stream = context->stream;
  heed_dropout dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site);
  heed_rows rows = heed_token_rows(context);
  int64_t floats = stream->tokens * sublayer->width;
  const void *inner = heed_buffer(context, sublayer->inner);
  void *d_body = heed_buffer(context, sublayer->d_body);
  float *d_normalised = heed_buffer(context, sublayer->d_normalised);
  bool post = sublayer->form == HEED_SUBLAYER_POST_NORM, pre = sublayer->form == HEED_SUBLAYER_PRE_NORM;
#pragma omp parallel
  {
    if (post)
      heed_layer_norm_backward(context, gradient, gradient, inner, &sublayer->norm, rows);
    if (pre)
      clear(d_normalised, floats);
    context->kernels->dropout_backward(d_body, false, gradient, stream->sequence_of, stream->offsets, stream->tokens, sublayer->width,
                                       &dropout);
    sublayer->operations->backward(context, pre ? d_normalised : gradient, d_body, pre ? inner : x.elements, &sublayer->body);
    if (pre) {
      heed_layer_norm_backward(context, d_normalised, d_normalised, x.values, &sublayer->norm, rows);
      add(context, gradient, d_normalised, floats);
    }
  }
}
