#include "models/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/pulse.h"
#include "layers/block.h"
#include "layers/positions.h"
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
  size_t waves, rotary, rotary_local; /* fixed tables of positions */
  heed_embedding embedding;
  heed_sublayer *sublayers;
  int64_t sublayer_count, block_sublayers; /* of all blocks, of one */
  int64_t behind;                          /* first parameter behind the stack's: the table's order is the data's */
  bool has_final_norm;
  heed_layer_norm final_norm;
  size_t normed; /* [T, C], the final norm's output */
  heed_token_head token_head;
  heed_next_sentence_head next_sentence_head;
  size_t gradient; /* [T, C], of the stream that backward follows */
  heed_hidden hidden;
  float *maps;                 /* heed_model_look */
  double *entropy;             /* heed_model_watch */
  heed_gradients_ready *ready; /* heed_model_tell_gradients */
  void *ready_self;
  int64_t *cache_starts, *cache_ends; /* [B + 1], [B] */
};

/* ---- planning ---- */

static void plan_positions(heed_model *model, heed_plan *plan) {
  const heed_model_config *config = &model->config;
  size_t rows = (size_t)config->max_positions, width = (size_t)(config->hidden / config->heads);
  if (heed_positions_are_waves(config))
    plan->waves = heed_arena_reserve(plan->arena, rows * (size_t)config->hidden, sizeof(float));
  if (config->positions == HEED_POSITIONS_ROTARY) {
    plan->rotary = heed_arena_reserve(plan->arena, rows * width, sizeof(float));
    plan->rotary_local = heed_arena_reserve(plan->arena, rows * width, sizeof(float));
  }
  model->waves = plan->waves;
  model->rotary = plan->rotary;
  model->rotary_local = plan->rotary_local;
}

static void fill_positions(heed_model *model) {
  const heed_model_config *config = &model->config;
  if (heed_positions_are_waves(config))
    heed_positions_waves(heed_arena_at(&model->arena, model->waves), config);
  if (config->positions == HEED_POSITIONS_ROTARY) {
    heed_positions_turns(heed_arena_at(&model->arena, model->rotary), config, config->rotary_theta);
    heed_positions_turns(heed_arena_at(&model->arena, model->rotary_local), config, config->rotary_theta_local);
  }
}

/* What is normalised already is not normalised again: behind a norm of the embeddings the first sublayer has none. */
static heed_sublayer_form form_of(const heed_model_config *config, int64_t sublayer) {
  if (config->norm == HEED_NORM_POST)
    return HEED_SUBLAYER_POST_NORM;
  return sublayer == 0 && config->embedding_norm ? HEED_SUBLAYER_NO_NORM : HEED_SUBLAYER_PRE_NORM;
}

/* The block of a sublayer. */
static heed_block block_of(const heed_model *model, int64_t sublayer) {
  heed_sublayer *first = model->sublayers + sublayer / model->block_sublayers * model->block_sublayers;
  return (heed_block){first, model->block_sublayers, first > model->sublayers ? first - 1 : NULL};
}

static heed_status plan_block(heed_model *model, heed_plan *plan, const heed_family *family, int64_t number) {
  const heed_model_config *config = &model->config;
  heed_sublayer_spec specs[HEED_MAX_SUBLAYERS];
  char prefix[96], norms[HEED_MAX_SUBLAYERS][160];
  int64_t first = number * family->sublayer_count;
  double deviation = config->initializer_range;
  if (family->residual_scaled)
    deviation /= sqrt((double)model->sublayer_count);
  snprintf(prefix, sizeof prefix, family->block, (int)number);
  for (int i = 0; i < family->sublayer_count; i++) {
    const heed_sublayer_row *row = &family->sublayers[i];
    snprintf(norms[i], sizeof norms[i], "%s%s", prefix, row->norm);
    specs[i] = (heed_sublayer_spec){.operations = row->body,
                                    .body = {config, prefix, row->names, number, deviation},
                                    .form = form_of(config, first + i),
                                    .norm = norms[i]};
  }
  heed_block block = block_of(model, first);
  return heed_block_plan(&block, plan, specs);
}

static heed_status plan_stack(heed_model *model, heed_plan *plan, const heed_family *family) {
  const heed_model_config *config = &model->config;
  model->block_sublayers = family->sublayer_count;
  model->sublayer_count = config->layers * family->sublayer_count;
  model->sublayers = calloc((size_t)model->sublayer_count, sizeof *model->sublayers);
  if (!model->sublayers)
    return heed_error(HEED_FAILED, "out of memory for %lld layers", (long long)config->layers);
  for (int64_t i = 0; i < config->layers; i++)
    HEED_TRY(plan_block(model, plan, family, i));
  model->behind = plan->table->total;
  model->has_final_norm = config->norm == HEED_NORM_PRE;
  if (!model->has_final_norm)
    return HEED_OK;
  model->normed = heed_arena_reserve(plan->arena, (size_t)(plan->tokens * config->hidden), sizeof(float));
  return heed_layer_norm_plan(&model->final_norm, plan, family->final_norm, config, plan->tokens);
}

static heed_status plan_heads(heed_model *model, heed_plan *plan, const heed_family *family) {
  const heed_model_sizes *sizes = &model->sizes;
  if (sizes->next_sentence && !family->pooler)
    return heed_error(HEED_INVALID, "objective.next_sentence: models of the family %s have no such head", family->name);
  if (sizes->next_sentence)
    HEED_TRY(heed_next_sentence_head_plan(&model->next_sentence_head, plan, &model->config, family->pooler));
  if (!sizes->token_head)
    return HEED_OK;
  HEED_TRY(heed_token_head_plan(&model->token_head, plan, &model->config, &model->embedding, &family->head));
  return heed_token_head_tie(&model->token_head, plan, &model->embedding);
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
  heed_embedding_spec embedding = {config, family->embeddings, family->embedding_norm, family->position_share * config->initializer_range};
  if (sizes->training)
    model->gradient = heed_arena_reserve(&model->arena, (size_t)(sizes->tokens * config->hidden), sizeof(float));
  plan_positions(model, &plan);
  HEED_TRY(heed_embedding_plan(&model->embedding, &plan, &embedding));
  HEED_TRY(plan_stack(model, &plan, family));
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
  fill_positions(model);
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
  free(model->sublayers);
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

static heed_hidden run_stack(heed_model *model, const heed_context *context) {
  heed_hidden x = heed_embedding_forward(context, &model->embedding);
  for (int64_t i = 0; i < model->sublayer_count; i++) {
    x = heed_sublayer_forward(context, x, &model->sublayers[i]);
    heed_pulse_beat();
  }
  if (model->has_final_norm) {
    float *normed = heed_buffer(context, model->normed);
#pragma omp parallel
    heed_layer_norm_forward(context, normed, NULL, x.values, &model->final_norm, heed_token_rows(context));
    x = (heed_hidden){.values = normed};
  }
  model->hidden = x;
  return x;
}

static heed_hidden input_of(const heed_model *model, const heed_context *context, int64_t sublayer) {
  if (sublayer == 0)
    return heed_embedding_output(context, &model->embedding);
  return heed_sublayer_output(context, &model->sublayers[sublayer - 1]);
}

static void tell(const heed_model *model, int64_t first) {
  if (model->ready)
    model->ready(model->ready_self, first);
}

/* What backward of the sublayer reads and forward did not keep. */
static void remake(const heed_model *model, const heed_context *context, int64_t sublayer) {
  heed_block block = block_of(model, sublayer);
  int64_t first = block.sublayers - model->sublayers;
  heed_block_remake(context, input_of(model, context, first), &block, sublayer - first);
}

static void back_through_stack(heed_model *model, const heed_context *context, float *gradient) {
  heed_pulse_enter(HEED_PHASE_BACKWARD);
  if (model->has_final_norm) {
    heed_hidden x = input_of(model, context, model->sublayer_count);
#pragma omp parallel
    heed_layer_norm_backward(context, gradient, false, gradient, x.values, &model->final_norm, heed_token_rows(context));
  }
  tell(model, model->behind);
  for (int64_t i = model->sublayer_count - 1; i >= 0; i--) {
    remake(model, context, i);
    heed_sublayer_backward(context, gradient, input_of(model, context, i), &model->sublayers[i]);
    tell(model, model->sublayers[i].first_parameter);
    heed_pulse_beat();
  }
  heed_embedding_backward(context, gradient, &model->embedding);
  tell(model, 0);
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
  const double *losses = heed_token_head_train(context, model->hidden.values, &model->token_head);
  for (int64_t g = 0; g < batch->slices; g++)
    sums[g] = (heed_slice_sums){.token_loss = sum_rows(losses, batch->slice_targets, g),
                                .targets = (double)(batch->slice_targets[g + 1] - batch->slice_targets[g]),
                                .tokens = (double)(batch->stream.slice_tokens[g + 1] - batch->stream.slice_tokens[g])};
  heed_token_head_backward(context, gradient, &model->token_head);
  if (!model->sizes.next_sentence)
    return;
  heed_next_sentence_head_forward(context, model->hidden.values, &model->next_sentence_head);
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
  back_through_stack(model, &context, gradient);
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
  return run_stack(model, &context).values;
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
  return heed_token_head_forward(&context, run_stack(model, &context).values, &model->token_head);
}

const double *heed_model_losses(heed_model *model, const heed_batch *batch) {
  heed_context context = context_of(model, NULL, batch);
  return heed_token_head_loss(&context, &model->token_head);
}

const float *heed_model_next_sentence(heed_model *model, const float *parameters, const heed_batch *batch, const double **losses) {
  heed_context context = context_of(model, parameters, batch);
  const float *logits = heed_next_sentence_head_forward(&context, model->hidden.values, &model->next_sentence_head);
  *losses = heed_next_sentence_head_loss(&context, 1.0f, &model->next_sentence_head);
  return logits;
}
