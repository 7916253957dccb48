#include "layers/sublayer.h"

/* ---- planning ---- */

heed_status heed_sublayer_plan(heed_sublayer *sublayer, heed_plan *plan, const heed_sublayer_spec *spec) {
  const heed_model_config *config = spec->body.config;
  *sublayer = (heed_sublayer){.operations = spec->operations,
                              .form = spec->form,
                              .dropout = config->dropout,
                              .width = config->hidden,
                              .first_parameter = plan->table->total};
  if (spec->form == HEED_SUBLAYER_PRE_NORM) /* registered in the order of the data */
    HEED_TRY(heed_layer_norm_register(&sublayer->norm, plan, spec->norm, config));
  HEED_TRY(spec->operations->plan(&sublayer->body, plan, &spec->body));
  sublayer->site = plan->next_site++;
  if (spec->form == HEED_SUBLAYER_POST_NORM)
    HEED_TRY(heed_layer_norm_register(&sublayer->norm, plan, spec->norm, config));
  return HEED_OK;
}

/* Whether the norm's own go with the output: what it read tells what it gave, and costs no product to keep. */
static bool norm_ends(const heed_sublayer *sublayer, const heed_plan *plan) {
  return plan->training && sublayer->form == HEED_SUBLAYER_POST_NORM;
}

static void reserve_norm(heed_sublayer *sublayer, heed_plan *plan) {
  if (sublayer->form == HEED_SUBLAYER_NO_NORM)
    return;
  heed_layer_norm_reserve(&sublayer->norm, plan, plan->tokens);
  sublayer->inner = sublayer->form == HEED_SUBLAYER_POST_NORM ? heed_reserve_floats(plan, plan->tokens, sublayer->width)
                                                              : heed_reserve_elements(plan, plan->tokens, sublayer->width);
}

void heed_sublayer_plan_end(heed_sublayer *sublayer, heed_plan *plan, const heed_sublayer *other) {
  bool post = sublayer->form == HEED_SUBLAYER_POST_NORM, shared = post && other;
  sublayer->out = shared ? other->out : heed_reserve_floats(plan, plan->tokens, sublayer->width);
  if (post)
    sublayer->elements = shared ? other->elements : heed_reserve_elements_beside(plan, sublayer->out, plan->tokens, sublayer->width);
  if (norm_ends(sublayer, plan))
    reserve_norm(sublayer, plan);
}

void heed_sublayer_plan_saved(heed_sublayer *sublayer, heed_plan *plan, bool kept) {
  size_t mark = heed_arena_mark(plan->arena);
  if (!norm_ends(sublayer, plan))
    reserve_norm(sublayer, plan);
  sublayer->operations->plan_forward(&sublayer->body, plan);
  if (kept)
    mark = heed_arena_mark(plan->arena);
  if (plan->training) { /* nothing that backward works on outlives it: all sublayers share this space */
    sublayer->d_body = heed_reserve_elements(plan, plan->tokens, sublayer->width);
    if (sublayer->form == HEED_SUBLAYER_PRE_NORM)
      sublayer->d_normalised = heed_reserve_floats(plan, plan->tokens, sublayer->width);
    sublayer->operations->plan_backward(&sublayer->body, plan);
  }
  heed_arena_release(plan->arena, mark);
}

/* ---- forward ---- */

heed_hidden heed_sublayer_output(const heed_context *context, const heed_sublayer *sublayer) {
  bool post = sublayer->form == HEED_SUBLAYER_POST_NORM;
  return (heed_hidden){heed_buffer(context, sublayer->out), post ? heed_buffer(context, sublayer->elements) : NULL};
}

/** What ends the sublayer: the body's output becomes the sum, and that the output where a norm follows. */
static heed_residual residual_of(const heed_context *context, const float *x, const heed_sublayer *sublayer) {
  const heed_stream *stream = context->stream;
  const heed_layer_norm *norm = &sublayer->norm;
  float *out = heed_buffer(context, sublayer->out);
  heed_residual r = {.sum = out,
                     .residual = x,
                     .sequence_of = stream->sequence_of,
                     .offsets = stream->offsets,
                     .dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site)};
  if (sublayer->form == HEED_SUBLAYER_POST_NORM) {
    r.sum = heed_buffer(context, sublayer->inner);
    r.gamma = heed_weights(context, norm->gamma);
    r.beta = heed_weights(context, norm->beta);
    r.epsilon = norm->epsilon;
    r.y = out;
    r.mean = heed_buffer(context, norm->mean);
    r.rstd = heed_buffer(context, norm->rstd);
    r.elements = sublayer->elements == sublayer->out ? NULL : heed_buffer(context, sublayer->elements);
  }
  return r;
}

/* Of a pre-norm sublayer the norm, then the body, and with r what ends the sublayer. */
static void run(const heed_context *context, const heed_residual *r, heed_hidden x, const heed_sublayer *sublayer) {
  bool pre = sublayer->form == HEED_SUBLAYER_PRE_NORM;
  void *normalised = pre ? heed_buffer(context, sublayer->inner) : NULL;
#pragma omp parallel
  {
    if (pre)
      heed_layer_norm_forward(context, NULL, normalised, x.values, &sublayer->norm, heed_token_rows(context));
    sublayer->operations->forward(context, r, pre ? normalised : x.elements, &sublayer->body);
  }
}

heed_hidden heed_sublayer_forward(const heed_context *context, heed_hidden x, const heed_sublayer *sublayer) {
  const heed_residual r = residual_of(context, x.values, sublayer);
  run(context, &r, x, sublayer);
  return heed_sublayer_output(context, sublayer);
}

void heed_sublayer_remake_saved(const heed_context *context, heed_hidden x, const heed_sublayer *sublayer) {
  run(context, NULL, x, sublayer);
}

void heed_sublayer_remake_output(const heed_context *context, const heed_sublayer *sublayer) {
  if (sublayer->form != HEED_SUBLAYER_POST_NORM)
    return;
#pragma omp parallel
  heed_layer_norm_forward(context, heed_buffer(context, sublayer->out), heed_buffer(context, sublayer->elements),
                          heed_buffer(context, sublayer->inner), &sublayer->norm, heed_token_rows(context));
}

/* ---- backward ---- */

static void close_backward(const heed_context *context, float *gradient, void *d_body, const heed_sublayer *sublayer,
                           const heed_dropout *dropout) {
  const heed_stream *stream = context->stream;
  const heed_layer_norm *norm = &sublayer->norm;
  heed_rows rows = heed_token_rows(context);
  context->kernels->residual_norm_backward(gradient, d_body, heed_gradient(context, norm->gamma), heed_gradient(context, norm->beta),
                                           gradient, heed_buffer(context, sublayer->inner), heed_buffer(context, norm->mean),
                                           heed_buffer(context, norm->rstd), heed_weights(context, norm->gamma), stream->sequence_of,
                                           stream->offsets, rows.starts, rows.slices, sublayer->width, dropout, context->workspace,
                                           heed_thread_scratch(context));
}

void heed_sublayer_backward(const heed_context *context, float *gradient, heed_hidden x, const heed_sublayer *sublayer) {
  const heed_stream *stream = context->stream;
  heed_dropout dropout = heed_dropout_at(context, sublayer->dropout, sublayer->site);
  void *d_body = heed_buffer(context, sublayer->d_body);
  float *d_normalised = heed_buffer(context, sublayer->d_normalised);
  bool pre = sublayer->form == HEED_SUBLAYER_PRE_NORM;
  const void *input = pre ? heed_buffer(context, sublayer->inner) : x.elements;
#pragma omp parallel
  {
    if (sublayer->form == HEED_SUBLAYER_POST_NORM)
      close_backward(context, gradient, d_body, sublayer, &dropout);
    else
      context->kernels->residual_backward(d_body, gradient, stream->sequence_of, stream->offsets, stream->tokens, sublayer->width,
                                          &dropout);
    sublayer->operations->backward(context, pre ? d_normalised : gradient, !pre, d_body, input, &sublayer->body);
    if (pre)
      heed_layer_norm_backward(context, gradient, true, d_normalised, x.values, &sublayer->norm, heed_token_rows(context));
  }
}
