#include "layers/embedding.h"

#include <stdio.h>

static heed_status add_table(heed_plan *plan, const char *prefix, const char *name, int64_t rows, const heed_model_config *config,
                             int64_t *offset, int64_t *index) {
  heed_parameter table = {.rank = 2,
                          .shape = {rows, config->hidden},
                          .initialisation = HEED_INIT_TRUNCATED_NORMAL,
                          .deviation = (float)config->initializer_range,
                          .decay = true,
                          .shard_axis = -1};
  snprintf(table.name, sizeof table.name, "%s%s_embeddings.weight", prefix, name);
  *offset = plan->table->total;
  return heed_parameters_add(plan->table, &table, index);
}

heed_status heed_embedding_plan(heed_embedding *embedding, heed_plan *plan, const heed_model_config *config, const char *prefix) {
  char norm[HEED_MAX_NAME - 8];
  size_t tokens = (size_t)plan->tokens, floats = tokens * (size_t)config->hidden;
  *embedding = (heed_embedding){.vocabulary_size = config->vocabulary_size,
                                .max_positions = config->max_positions,
                                .token_types = config->token_types,
                                .width = config->hidden,
                                .dropout = config->dropout,
                                .site = plan->next_site++};
  HEED_TRY(add_table(plan, prefix, "word", config->vocabulary_size, config, &embedding->words, &embedding->words_index));
  HEED_TRY(add_table(plan, prefix, "position", config->max_positions, config, &embedding->positions, NULL));
  HEED_TRY(add_table(plan, prefix, "token_type", config->token_types, config, &embedding->types, NULL));
  snprintf(norm, sizeof norm, "%sLayerNorm", prefix);
  HEED_TRY(heed_layer_norm_plan(&embedding->norm, plan, norm, config->hidden, config->layer_norm_epsilon, plan->tokens));
  embedding->sum = heed_arena_reserve(plan->arena, floats, sizeof(float));
  embedding->out = heed_arena_reserve(plan->arena, floats, sizeof(float));
  if (plan->training) {
    size_t mark = heed_arena_mark(plan->arena);
    embedding->order = heed_arena_reserve(plan->arena, 3 * tokens, sizeof(int32_t));
    heed_arena_release(plan->arena, mark);
  }
  return HEED_OK;
}

const float *heed_embedding_forward(const heed_context *context, const heed_embedding *embedding) {
  const heed_stream *stream = &context->batch->stream;
  const float *p = context->parameters;
  heed_dropout dropout = heed_dropout_at(context, embedding->dropout, embedding->site);
  float *sum = heed_buffer(context, embedding->sum), *out = heed_buffer(context, embedding->out);
#pragma omp parallel
  {
    context->kernels->embedding_forward(sum, stream->ids, stream->positions, stream->token_types, p + embedding->words,
                                        p + embedding->positions, p + embedding->types, stream->tokens, embedding->width);
    heed_layer_norm_forward(context, out, sum, &embedding->norm, heed_token_rows(context));
    context->kernels->dropout_forward(out, out, NULL, stream->sequence_of, stream->offsets, stream->tokens, embedding->width, &dropout);
  }
  return out;
}

void heed_embedding_backward(const heed_context *context, float *gradient, const heed_embedding *embedding) {
  const heed_stream *stream = &context->batch->stream;
  const heed_kernels *kernels = context->kernels;
  heed_rows rows = heed_token_rows(context);
  heed_dropout dropout = heed_dropout_at(context, embedding->dropout, embedding->site);
  int32_t *order = heed_arena_at(context->arena, embedding->order);
  const int32_t *ids[3] = {stream->ids, stream->positions, stream->token_types};
  const int64_t offsets[3] = {embedding->words, embedding->positions, embedding->types};
  const int64_t sizes[3] = {embedding->vocabulary_size, embedding->max_positions, embedding->token_types};
#pragma omp parallel
  {
    kernels->dropout_backward(gradient, gradient, stream->sequence_of, stream->offsets, stream->tokens, embedding->width, &dropout);
    heed_layer_norm_backward(context, gradient, gradient, heed_buffer(context, embedding->sum), &embedding->norm, rows);
    for (int i = 0; i < 3; i++) {
      kernels->embedding_sort(order + i * stream->tokens, ids[i], rows.starts, rows.slices);
      kernels->embedding_backward(context->gradients + offsets[i], gradient, order + i * stream->tokens, ids[i], rows.starts, rows.slices,
                                  sizes[i], embedding->width, heed_thread_scratch(context));
    }
  }
}
