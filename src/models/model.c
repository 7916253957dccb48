#include "models/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "layers/sublayer.h"
#include "models/family.h"
#include "models/masked_head.h"
#include "models/next_sentence_head.h"

struct heed_model {
  const heed_kernels *kernels;
  heed_model_config config; /* its strings are not kept */
  heed_model_sizes sizes;
  heed_parameter_table table;
  heed_arena arena, scratch;
  int64_t scratch_floats;
  heed_embedding embedding;
  heed_sublayer *sublayers;
  int64_t sublayer_count;
  heed_masked_head masked_head;
  heed_next_sentence_head next_sentence_head;
  size_t gradient; /* [T, C], of the stream that backward follows */
  const float *hidden;
  float *maps; /* heed_model_look */
};

static heed_status plan_stack(heed_model *model, heed_plan *plan, const heed_family *family) {
  model->sublayer_count = model->config.layers * family->sublayer_count;
  model->sublayers = calloc((size_t)model->sublayer_count, sizeof *model->sublayers);
  if (!model->sublayers)
    return heed_error(HEED_FAILED, "out of memory for %lld layers", (long long)model->config.layers);
  for (int64_t i = 0; i < model->sublayer_count; i++) {
    const heed_sublayer_row *row = &family->sublayers[i % family->sublayer_count];
    char prefix[96], norm[160];
    snprintf(prefix, sizeof prefix, family->block, (int)(i / family->sublayer_count));
    snprintf(norm, sizeof norm, "%s%s", prefix, row->norm);
    HEED_TRY(heed_sublayer_plan(&model->sublayers[i], plan, row->body, &model->config, prefix, norm));
  }
  return HEED_OK;
}

/* The arena is used like a stack: what each layer saves lies above what the layers before it saved, and what only its backward works on
 * lies above that, over what later layers saved.  Backward goes down the stack, so those are dead by then. */
static heed_status plan_model(heed_model *model, const heed_family *family) {
  const heed_model_sizes *sizes = &model->sizes;
  heed_plan plan = {.table = &model->table,
                    .arena = &model->arena,
                    .sequences = sizes->sequences,
                    .tokens = sizes->tokens,
                    .targets = sizes->targets,
                    .training = sizes->training};
  if (sizes->training)
    model->gradient = heed_arena_reserve(&model->arena, (size_t)(sizes->tokens * model->config.hidden), sizeof(float));
  HEED_TRY(heed_embedding_plan(&model->embedding, &plan, &model->config, family->embeddings));
  HEED_TRY(plan_stack(model, &plan, family));
  if (sizes->next_sentence)
    HEED_TRY(heed_next_sentence_head_plan(&model->next_sentence_head, &plan, &model->config, family->pooler));
  if (sizes->masked_head) {
    HEED_TRY(heed_masked_head_plan(&model->masked_head, &plan, &model->config, &model->embedding));
    HEED_TRY(heed_masked_head_tie(&model->masked_head, &plan, &model->embedding));
  }
  model->scratch_floats = model->kernels->scratch_floats(sizes->slices, sizes->longest, model->config.hidden / model->config.heads);
  heed_arena_reserve(&model->scratch, (size_t)(model->scratch_floats * omp_get_max_threads()), sizeof(float));
  return HEED_OK;
}

heed_status heed_model_create(heed_model **result, const heed_model_config *config, const heed_model_sizes *sizes,
                              const heed_kernels *kernels) {
  const heed_family *family;
  HEED_TRY(heed_blas_check()); /* also what makes products safe to call from threads */
  HEED_TRY(heed_family_find(&family, config->family));
  heed_model *model = calloc(1, sizeof *model);
  if (!model)
    return heed_error(HEED_FAILED, "out of memory for a model");
  model->kernels = kernels;
  model->config = *config;
  model->sizes = *sizes;
  model->arena.name = "activations";
  model->scratch.name = "scratch";
  heed_status status = plan_model(model, family);
  if (status != HEED_OK) {
    heed_model_free(model);
    return status;
  }
  *result = model;
  return HEED_OK;
}

heed_status heed_model_commit(heed_model *model) {
  HEED_TRY(heed_arena_commit(&model->arena));
  return heed_arena_commit(&model->scratch);
}

void heed_model_free(heed_model *model) {
  if (!model)
    return;
  heed_parameters_free(&model->table);
  heed_arena_free(&model->arena);
  heed_arena_free(&model->scratch);
  free(model->sublayers);
  free(model);
}

const heed_parameter_table *heed_model_table(const heed_model *model) {
  return &model->table;
}

size_t heed_model_bytes(const heed_model *model) {
  return model->arena.peak + model->scratch.peak;
}

static heed_context context_of(heed_model *model, const float *parameters, const heed_batch *batch) {
  return (heed_context){.kernels = model->kernels,
                        .batch = batch,
                        .parameters = parameters,
                        .arena = &model->arena,
                        .scratch = heed_arena_at(&model->scratch, 0),
                        .scratch_floats = model->scratch_floats};
}

static const float *run_stack(heed_model *model, const heed_context *context) {
  const float *x = heed_embedding_forward(context, &model->embedding);
  for (int64_t i = 0; i < model->sublayer_count; i++)
    x = heed_sublayer_forward(context, x, &model->sublayers[i]);
  model->hidden = x;
  return x;
}

static const float *input_of(const heed_model *model, const heed_context *context, int64_t sublayer) {
  return heed_buffer(context, sublayer > 0 ? model->sublayers[sublayer - 1].out : model->embedding.out);
}

/* Sums a loss over the rows of each slice, in the order of rows. */
static double sum_rows(const double *losses, const int64_t *starts, int64_t slice) {
  double sum = 0;
  for (int64_t i = starts[slice]; i < starts[slice + 1]; i++)
    sum += losses[i];
  return sum;
}

/* Forward and backward of the heads; the sums are taken before backward reuses the memory of the losses. */
static void train_heads(heed_model *model, const heed_context *context, float *gradient, float next_sentence_scale, heed_slice_sums *sums) {
  const heed_batch *batch = context->batch;
  heed_masked_head_forward(context, model->hidden, &model->masked_head);
  const double *losses = heed_masked_head_loss(context, &model->masked_head);
  for (int64_t g = 0; g < batch->slices; g++)
    sums[g] = (heed_slice_sums){.masked_loss = sum_rows(losses, batch->slice_targets, g),
                                .targets = (double)(batch->slice_targets[g + 1] - batch->slice_targets[g]),
                                .tokens = (double)(batch->slice_tokens[g + 1] - batch->slice_tokens[g])};
  heed_masked_head_backward(context, gradient, &model->masked_head);
  if (!model->sizes.next_sentence)
    return;
  heed_next_sentence_head_forward(context, model->hidden, &model->next_sentence_head);
  losses = heed_next_sentence_head_loss(context, next_sentence_scale, &model->next_sentence_head);
  for (int64_t g = 0; g < batch->slices; g++) {
    sums[g].next_sentence_loss = sum_rows(losses, batch->slice_rows, g);
    sums[g].sequences = (double)(batch->slice_rows[g + 1] - batch->slice_rows[g]);
  }
  heed_next_sentence_head_backward(context, gradient, &model->next_sentence_head);
}

void heed_model_train(heed_model *model, const float *parameters, float *gradients, const heed_batch *batch, uint32_t seed,
                      float next_sentence_scale, heed_slice_sums *sums) {
  heed_context context = context_of(model, parameters, batch);
  context.training = true;
  context.seed = seed;
  context.gradients = gradients;
  float *gradient = heed_buffer(&context, model->gradient);
  run_stack(model, &context);
  memset(gradient, 0, (size_t)(batch->stream.tokens * model->config.hidden) * sizeof *gradient);
  train_heads(model, &context, gradient, next_sentence_scale, sums);
  for (int64_t i = model->sublayer_count - 1; i >= 0; i--)
    heed_sublayer_backward(&context, gradient, input_of(model, &context, i), &model->sublayers[i]);
  heed_embedding_backward(&context, gradient, &model->embedding);
}

void heed_model_look(heed_model *model, float *maps) {
  model->maps = maps;
}

const float *heed_model_hidden(heed_model *model, const float *parameters, const heed_batch *batch) {
  heed_context context = context_of(model, parameters, batch);
  context.maps = model->maps;
  return run_stack(model, &context);
}

const float *heed_model_logits(heed_model *model, const float *parameters, const heed_batch *batch) {
  heed_context context = context_of(model, parameters, batch);
  context.maps = model->maps;
  const float *hidden = run_stack(model, &context);
  return heed_masked_head_forward(&context, hidden, &model->masked_head);
}

const double *heed_model_losses(heed_model *model, const heed_batch *batch) {
  heed_context context = context_of(model, NULL, batch);
  return heed_masked_head_loss(&context, &model->masked_head);
}

const float *heed_model_next_sentence(heed_model *model, const float *parameters, const heed_batch *batch, const double **losses) {
  heed_context context = context_of(model, parameters, batch);
  const float *logits = heed_next_sentence_head_forward(&context, model->hidden, &model->next_sentence_head);
  *losses = heed_next_sentence_head_loss(&context, 1.0f, &model->next_sentence_head);
  return logits;
}
