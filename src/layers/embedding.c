#include "layers/embedding.h"

#include <stdio.h>
#include <string.h>

#include "layers/positions.h"

static heed_status add_table(heed_embedding_table *table, heed_plan *plan, const char *name, int64_t rows, int64_t width, double deviation,
                             bool split, int64_t *index) {
  *table = (heed_embedding_table){.rows = rows, .at = -1};
  if (rows == 0)
    return HEED_OK;
  if (split) {
    table->first = heed_part_begin(rows, plan->table->parts, plan->table->part);
    table->rows = heed_part_begin(rows, plan->table->parts, plan->table->part + 1) - table->first;
  }
  heed_parameter parameter = {.rank = 2,
                              .shape = {rows, width},
                              .initialisation = plan->initialisation,
                              .deviation = (float)deviation,
                              .decay = true,
                              .shard_axis = split ? 0 : -1};
  snprintf(parameter.name, sizeof parameter.name, "%s.weight", name);
  table->at = plan->table->total;
  return heed_parameters_add(plan->table, &parameter, index);
}

static heed_status plan_tables(heed_embedding *embedding, heed_plan *plan, const heed_embedding_spec *spec) {
  const heed_model_config *config = spec->config;
  const int64_t rows[HEED_EMBED_TABLES] = {config->vocabulary_size, config->positions == HEED_POSITIONS_LEARNED ? config->max_positions : 0,
                                           config->token_types};
  const double deviations[HEED_EMBED_TABLES] = {config->initializer_range, spec->position_deviation, config->initializer_range};
  for (int i = 0; i < HEED_EMBED_TABLES; i++) {
    const bool words = i == HEED_EMBED_WORDS;
    HEED_TRY(add_table(&embedding->tables[i], plan, spec->tables[i], rows[i], config->hidden, deviations[i], words && embedding->split,
                       words ? &embedding->words_index : NULL));
  }
  return HEED_OK;
}

heed_status heed_embedding_plan(heed_embedding *embedding, heed_plan *plan, const heed_embedding_spec *spec) {
  const heed_model_config *config = spec->config;
  *embedding = (heed_embedding){.width = config->hidden,
                                .has_waves = heed_positions_are_waves(config),
                                .has_norm = config->embedding_norm,
                                .split = plan->table->parts > 1,
                                .dropout = config->dropout,
                                .site = plan->next_site++,
                                .waves = plan->waves,
                                .norm = {.gamma = -1, .beta = -1}};
  HEED_TRY(plan_tables(embedding, plan, spec));
  if (embedding->has_norm)
    HEED_TRY(heed_layer_norm_plan(&embedding->norm, plan, spec->norm, config, plan->tokens));
  embedding->sum = heed_reserve_floats(plan, plan->tokens, config->hidden);
  embedding->out = embedding->has_norm ? heed_reserve_floats(plan, plan->tokens, config->hidden) : embedding->sum;
  embedding->elements = heed_reserve_elements_beside(plan, embedding->out, plan->tokens, config->hidden);
  size_t mark = heed_arena_mark(plan->arena);
  if (embedding->split) {
    embedding->gathered = heed_reserve_floats(plan, plan->tokens, config->hidden);
    embedding->gathered_elements = heed_reserve_elements_beside(plan, embedding->gathered, plan->tokens, config->hidden);
    embedding->words = heed_arena_reserve(plan->arena, (size_t)plan->tokens, sizeof(int32_t));
  }
  if (plan->training)
    embedding->order = heed_arena_reserve(plan->arena, HEED_EMBED_TABLES * (size_t)plan->tokens, sizeof(int32_t));
  heed_arena_release(plan->arena, mark);
  return HEED_OK;
}

heed_hidden heed_embedding_output(const heed_context *context, const heed_embedding *embedding) {
  return (heed_hidden){heed_buffer(context, embedding->out), heed_buffer(context, embedding->elements)};
}

/* The words' rows that are here, and zeros in the place of the other parts', added up over the parts. */
static void gather_words(const heed_context *context, const heed_embedding *embedding) {
  const heed_stream *stream = context->stream;
  const heed_kernels *kernels = context->kernels;
  const heed_embedding_table *table = &embedding->tables[HEED_EMBED_WORDS];
  const int64_t width = embedding->width;
  float *gathered = heed_buffer(context, embedding->gathered);
  char *elements = heed_buffer(context, embedding->gathered_elements);
  int32_t *words = heed_buffer(context, embedding->words);
  bool wide;
  const void *own = heed_table(context, table->at, &wide);
#pragma omp for schedule(static)
  for (int64_t t = 0; t < stream->tokens; t++) {
    const int64_t row = stream->ids[t] - table->first;
    float *to = gathered + t * width;
    words[t] = (int32_t)t;
    if (row < 0 || row >= table->rows)
      memset(to, 0, (size_t)width * sizeof *to);
    else if (wide)
      memcpy(to, (const float *)own + row * width, (size_t)width * sizeof *to);
    else
      kernels->widen(to, heed_behind(context, own, row * width), width);
  }
  heed_add_up(context, gathered, stream->tokens * width);
  if (wide)
    return;
#pragma omp for schedule(static)
  for (int64_t t = 0; t < stream->tokens; t++)
    kernels->narrow(elements + t * width * (int64_t)kernels->element_bytes, gathered + t * width, width);
}

heed_hidden heed_embedding_forward(const heed_context *context, const heed_embedding *embedding) {
  const heed_stream *stream = context->stream;
  const heed_embedding_table *tables = embedding->tables;
  const heed_layer_norm *norm = &embedding->norm;
  heed_embedding_rows rows = {.ids = stream->ids, .position = stream->positions, .type = stream->token_types};
  rows.words = heed_table(context, tables[HEED_EMBED_WORDS].at, &rows.wide);
  rows.positions = heed_table(context, tables[HEED_EMBED_POSITIONS].at, &rows.wide);
  rows.types = heed_table(context, tables[HEED_EMBED_TYPES].at, &rows.wide);
  if (embedding->split) {
    rows.words = heed_buffer(context, rows.wide ? embedding->gathered : embedding->gathered_elements);
    rows.ids = heed_buffer(context, embedding->words);
  }
  rows.waves = embedding->has_waves ? heed_buffer(context, embedding->waves) : NULL;
  heed_dropout dropout = heed_dropout_at(context, embedding->dropout, embedding->site);
  void *elements = embedding->elements == embedding->out ? NULL : heed_buffer(context, embedding->elements);
#pragma omp parallel
  {
    if (embedding->split)
      gather_words(context, embedding);
    context->kernels->embedding_forward(heed_buffer(context, embedding->out), elements, heed_buffer(context, embedding->sum),
                                        heed_buffer(context, norm->mean), heed_buffer(context, norm->rstd), &rows,
                                        heed_weights(context, norm->gamma), heed_weights(context, norm->beta), stream->sequence_of,
                                        stream->offsets, stream->tokens, embedding->width, norm->epsilon, &dropout);
  }
  return heed_embedding_output(context, embedding);
}

/* From the gradient of the output to that of the sum, in place. */
static void backward_to_sum(const heed_context *context, float *gradient, const heed_embedding *embedding) {
  const heed_stream *stream = context->stream;
  const heed_layer_norm *norm = &embedding->norm;
  heed_rows rows = heed_token_rows(context);
  heed_dropout dropout = heed_dropout_at(context, embedding->dropout, embedding->site);
  context->kernels->embedding_norm_backward(
      gradient, heed_gradient(context, norm->gamma), heed_gradient(context, norm->beta), gradient, heed_buffer(context, embedding->sum),
      heed_buffer(context, norm->mean), heed_buffer(context, norm->rstd), heed_weights(context, norm->gamma), stream->sequence_of,
      stream->offsets, rows.starts, rows.slices, embedding->width, &dropout, context->workspace, heed_thread_scratch(context));
}

/* Where the words' rows are in this part's table: outside of it for those of other parts, which backward passes over. */
static const int32_t *own_words(const heed_context *context, const heed_embedding *embedding) {
  const heed_stream *stream = context->stream;
  int32_t *words = heed_buffer(context, embedding->words);
  for (int64_t t = 0; t < stream->tokens; t++)
    words[t] = stream->ids[t] - (int32_t)embedding->tables[HEED_EMBED_WORDS].first;
  return words;
}

void heed_embedding_backward(const heed_context *context, float *gradient, const heed_embedding *embedding) {
  const heed_stream *stream = context->stream;
  const heed_kernels *kernels = context->kernels;
  heed_rows rows = heed_token_rows(context);
  int32_t *order = heed_arena_at(context->arena, embedding->order);
  const int32_t *ids[HEED_EMBED_TABLES] = {embedding->split ? own_words(context, embedding) : stream->ids, stream->positions,
                                           stream->token_types};
#pragma omp parallel
  {
    backward_to_sum(context, gradient, embedding);
    for (int i = 0; i < HEED_EMBED_TABLES; i++) {
      const heed_embedding_table *table = &embedding->tables[i];
      if (table->rows == 0)
        continue;
      kernels->embedding_sort(order + i * stream->tokens, ids[i], rows.starts, rows.slices);
      kernels->embedding_backward(context->gradients + table->at, gradient, order + i * stream->tokens, ids[i], rows.starts, rows.slices,
                                  table->rows, embedding->width, heed_thread_scratch(context));
    }
  }
}
