#include "models/model.h"

#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "models/family.h"
#include "models/next_sentence_head.h"
#include "models/token_head.h"

struct heed_model {
  const heed_kernels *kernels;
  heed_model_config config; /* its strings are not kept */
  heed_model_sizes sizes;
  heed_communication *tensor;
  double adding; /* heed_model_adding */
  heed_parameter_table table;
  heed_arena arena, scratch, cache_arena;
  heed_panels panels;
  int64_t scratch_floats;
  size_t workspace;
  heed_stack stack;
  heed_token_head token_head;
  heed_next_sentence_head next_sentence_head;
  size_t gradient;             /* [T, C], of the stream that backward follows */
  const float *hidden;         /* [T, C], of the last call */
  float *maps;                 /* heed_model_look */
  double *entropy;             /* heed_model_watch */
  heed_gradients_ready *ready; /* heed_model_tell_gradients */
  void *ready_self;
  int64_t *cache_starts, *cache_ends; /* [B + 1], [B] */
};

/* ---- planning ---- */

static heed_status plan_heads(heed_model *model, heed_plan *plan, const heed_family *family) {
  const heed_model_sizes *sizes = &model->sizes;
  if (sizes->next_sentence && !family->pooler)
    return heed_error(HEED_INVALID, "objective.next_sentence: models of the family %s have no such head", family->name);
  if (sizes->next_sentence)
    HEED_TRY(heed_next_sentence_head_plan(&model->next_sentence_head, plan, &model->config, family->pooler));
  if (!sizes->token_head)
    return HEED_OK;
  HEED_TRY(heed_token_head_plan(&model->token_head, plan, &model->config, &model->stack.embedding, &family->head));
  return heed_token_head_tie(&model->token_head, plan, &model->stack.embedding);
}

/* The arena is used like a stack: what each layer saves lies above what the layers before it saved, and what only its backward works on
 * lies above that, over what later layers saved.  Backward goes down the stack, so those are dead by then.  What is made again rather
 * than kept (layers/block.h) lies there too. */
static heed_status plan_model(heed_model *model, const heed_family *family) {
  const heed_model_sizes *sizes = &model->sizes;
  const heed_model_config *config = &model->config;
  heed_plan plan = {.table = &model->table,
                    .arena = &model->arena,
                    .kernels = model->kernels,
                    .slices = sizes->slices,
                    .panels = sizes->training ? &model->panels : NULL,
                    .cache = sizes->cache_tokens > 0 ? &model->cache_arena : NULL,
                    .cache_tokens = sizes->cache_tokens,
                    .sequences = sizes->sequences,
                    .tokens = sizes->tokens,
                    .targets = sizes->targets,
                    .training = sizes->training,
                    .recompute = sizes->recompute,
                    .logits_in_groups = sizes->logits_in_groups,
                    .initialisation = family->initialisation};
  if (sizes->training)
    model->gradient = heed_arena_reserve(&model->arena, (size_t)(sizes->tokens * config->hidden), sizeof(float));
  HEED_TRY(heed_stack_plan(&model->stack, &plan, config, family));
  HEED_TRY(plan_heads(model, &plan, family));
  int64_t longest = sizes->longest > sizes->cache_tokens ? sizes->longest : sizes->cache_tokens;
  model->scratch_floats = model->kernels->scratch_floats(sizes->slices, longest, config->hidden / config->heads, config->hidden);
  heed_arena_reserve(&model->scratch, (size_t)(model->scratch_floats * omp_get_max_threads()), sizeof(float));
  model->workspace = heed_arena_reserve(&model->scratch, (size_t)plan.workspace, sizeof(float));
  return HEED_OK;
}

static heed_status plan_cache(heed_model *model) {
  int64_t sequences = model->sizes.sequences;
  if (model->sizes.cache_tokens == 0)
    return HEED_OK;
  model->cache_starts = malloc((size_t)(sequences + 1) * sizeof *model->cache_starts);
  model->cache_ends = malloc((size_t)(sequences + 1) * sizeof *model->cache_ends);
  if (!model->cache_starts || !model->cache_ends)
    return heed_error(HEED_FAILED, "out of memory for %lld sequences", (long long)sequences);
  for (int64_t b = 0; b <= sequences; b++)
    model->cache_starts[b] = b * model->sizes.cache_tokens;
  heed_model_forget(model);
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
  model->tensor = sizes->tensor ? sizes->tensor : heed_alone();
  model->table.parts = model->tensor->size;
  model->table.part = model->tensor->rank;
  model->arena.name = "activations";
  model->scratch.name = "scratch";
  model->cache_arena.name = "keys and values";
  model->panels.arena.name = "weight panels";
  heed_status status = plan_model(model, family);
  if (status == HEED_OK)
    status = plan_cache(model);
  if (status != HEED_OK) {
    heed_model_free(model);
    return status;
  }
  *result = model;
  return HEED_OK;
}

heed_status heed_model_commit(heed_model *model) {
  HEED_TRY(heed_arena_commit(&model->arena));
  HEED_TRY(heed_arena_commit(&model->cache_arena));
  HEED_TRY(heed_arena_commit(&model->panels.arena));
  heed_stack_fill(&model->stack, &model->arena);
  return heed_arena_commit(&model->scratch);
}

void heed_model_free(heed_model *model) {
  if (!model)
    return;
  heed_parameters_free(&model->table);
  heed_arena_free(&model->arena);
  heed_arena_free(&model->scratch);
  heed_arena_free(&model->cache_arena);
  heed_panels_free(&model->panels);
  free(model->cache_starts);
  free(model->cache_ends);
  heed_stack_free(&model->stack);
  free(model);
}

const heed_parameter_table *heed_model_table(const heed_model *model) {
  return &model->table;
}

size_t heed_model_bytes(const heed_model *model) {
  return model->arena.peak + model->scratch.peak + model->cache_arena.peak + model->panels.arena.peak;
}

double heed_model_adding(const heed_model *model) {
  return model->adding;
}

/* ---- running ---- */

void heed_model_pack(heed_model *model, const float *parameters, const void *elements) {
  if (elements && model->panels.packed != parameters)
    heed_panels_pack(&model->panels, model->kernels, parameters, elements);
}

void heed_model_unpack(heed_model *model) {
  model->panels.packed = NULL;
}

static heed_context context_of(heed_model *model, const float *parameters, const heed_batch *batch) {
  return (heed_context){.kernels = model->kernels,
                        .tensor = model->tensor,
                        .adding = &model->adding,
                        .batch = batch,
                        .stream = &batch->stream,
                        .parameters = parameters,
                        .panels = &model->panels,
                        .arena = &model->arena,
                        .cache_arena = &model->cache_arena,
                        .workspace = heed_arena_at(&model->scratch, model->workspace),
                        .scratch = heed_arena_at(&model->scratch, 0),
                        .scratch_floats = model->scratch_floats};
}

static const float *run_stack(heed_model *model, const heed_context *context) {
  model->hidden = heed_stack_forward(context, &model->stack).values;
  return model->hidden;
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
  const double *losses = heed_token_head_train(context, model->hidden, &model->token_head);
  for (int64_t g = 0; g < batch->slices; g++)
    sums[g] = (heed_slice_sums){.token_loss = sum_rows(losses, batch->slice_targets, g),
                                .targets = (double)(batch->slice_targets[g + 1] - batch->slice_targets[g]),
                                .tokens = (double)(batch->stream.slice_tokens[g + 1] - batch->stream.slice_tokens[g])};
  heed_token_head_backward(context, gradient, &model->token_head);
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
  context.recompute = model->sizes.recompute;
  context.seed = seed;
  context.gradients = gradients;
  float *gradient = heed_buffer(&context, model->gradient);
  run_stack(model, &context);
  memset(gradient, 0, (size_t)(batch->stream.tokens * model->config.hidden) * sizeof *gradient);
  train_heads(model, &context, gradient, next_sentence_scale, sums);
  heed_stack_backward(&context, gradient, &model->stack, model->ready, model->ready_self);
}

void heed_model_tell_gradients(heed_model *model, heed_gradients_ready *ready, void *self) {
  model->ready = ready;
  model->ready_self = self;
}

void heed_model_look(heed_model *model, float *maps) {
  model->maps = maps;
}

void heed_model_watch(heed_model *model, double *entropy) {
  model->entropy = entropy;
}

const float *heed_model_hidden(heed_model *model, const float *parameters, const heed_batch *batch) {
  heed_context context = context_of(model, parameters, batch);
  context.maps = model->maps;
  context.entropy = model->entropy;
  return run_stack(model, &context);
}

const float *heed_model_logits(heed_model *model, const float *parameters, const heed_batch *batch) {
  const float *hidden = heed_model_hidden(model, parameters, batch);
  heed_context context = context_of(model, parameters, batch);
  return heed_token_head_forward(&context, hidden, &model->token_head);
}

const double *heed_model_score(heed_model *model, const float *parameters, const heed_batch *batch, heed_logits_visit *visit, void *self) {
  const float *hidden = heed_model_hidden(model, parameters, batch);
  heed_context context = context_of(model, parameters, batch);
  return heed_token_head_score(&context, hidden, visit, self, &model->token_head);
}

void heed_model_forget(heed_model *model) {
  memcpy(model->cache_ends, model->cache_starts, (size_t)model->sizes.sequences * sizeof *model->cache_ends);
}

const float *heed_model_extend(heed_model *model, const float *parameters, const heed_batch *batch) {
  heed_context context = context_of(model, parameters, batch);
  heed_cache cache = {model->cache_starts, model->cache_ends};
  const heed_stream *stream = &batch->stream;
  for (int64_t b = 0; b < stream->sequences; b++)
    model->cache_ends[b] += stream->offsets[b + 1] - stream->offsets[b];
  context.cache = &cache;
  return heed_token_head_forward(&context, run_stack(model, &context), &model->token_head);
}

const double *heed_model_losses(heed_model *model, const heed_batch *batch) {
  heed_context context = context_of(model, NULL, batch);
  return heed_token_head_loss(&context, &model->token_head);
}

const float *heed_model_next_sentence(heed_model *model, const float *parameters, const heed_batch *batch, const double **losses) {
  heed_context context = context_of(model, parameters, batch);
  const float *logits = heed_next_sentence_head_forward(&context, model->hidden, &model->next_sentence_head);
  *losses = heed_next_sentence_head_loss(&context, 1.0f, &model->next_sentence_head);
  return logits;
}
