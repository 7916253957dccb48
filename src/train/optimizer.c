#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Chunks are the units of norms and of work: HEED_CHUNK elements, restarting at each tensor.  A shard is a run of whole chunks. */
struct heed_optimizer {
  const heed_parameter_table *table;
  const heed_optimizer_config *config;
  const heed_kernels *kernels;
  heed_communication *communication;
  int64_t *starts; /* [chunks + 1] first element of each chunk */
  int64_t chunks;
  int32_t *tensor_of;             /* [chunks] */
  int64_t first_chunk, end_chunk; /* this rank's */
  int64_t most_chunks;            /* of any rank's shard */
  float *moments[2];              /* [shard] */
  float *direction;               /* [shard], LAMB's u */
  double *sums;                   /* [chunks][2] of one or two norms */
  double *exchange;               /* [ranks][2 + 2 · most_chunks] */
  double *tensor_sums;            /* [tensors][2] */
};

/* Zeros that are not touched yet: fresh pages are. */
static float *allocate_shard(size_t floats) {
  float *block = calloc(floats, sizeof *block);
  heed_memory_prefer_large_pages(block, floats * sizeof *block);
  return block;
}

static heed_status allocate(heed_optimizer *o, int64_t shard) {
  size_t floats = (size_t)shard + 1, ranks = (size_t)o->communication->size;
  bool have = (o->moments[0] = allocate_shard(floats)) && (o->moments[1] = allocate_shard(floats)) &&
              (o->config->name != HEED_LAMB || (o->direction = allocate_shard(floats))) &&
              (o->sums = calloc((size_t)o->chunks * 2, sizeof(double))) &&
              (o->exchange = calloc(ranks * (2 + 2 * (size_t)o->most_chunks), sizeof(double))) &&
              (o->tensor_sums = calloc((size_t)o->table->count * 2, sizeof(double)));
  return have ? HEED_OK : heed_error(HEED_FAILED, "out of memory for optimizer moments of %lld parameters", (long long)shard);
}

size_t heed_optimizer_bytes(const heed_parameter_table *table, const heed_optimizer_config *config, int ranks) {
  size_t blocks = config->name == HEED_LAMB ? 3 : 2, shard = (size_t)((table->total + ranks - 1) / ranks);
  return blocks * shard * sizeof(float);
}

static heed_status list_chunks(heed_optimizer *o) {
  int64_t cuts;
  HEED_TRY(heed_parameters_cuts(o->table, &o->starts, &cuts));
  o->chunks = cuts - 1;
  o->tensor_of = malloc((size_t)o->chunks * sizeof *o->tensor_of);
  if (!o->tensor_of)
    return heed_error(HEED_FAILED, "out of memory for the optimizer");
  int32_t tensor = 0;
  for (int64_t i = 0; i < o->chunks; i++) {
    while (o->starts[i] >= o->table->items[tensor].offset + o->table->items[tensor].count)
      tensor++;
    o->tensor_of[i] = tensor;
  }
  return HEED_OK;
}

/* Each rank's part of the chunks.  Collective. */
static heed_status divide(heed_optimizer *o) {
  heed_communication *c = o->communication;
  HEED_TRY(c->agree(c, c->shard(c, o->starts, o->chunks + 1)));
  while (o->starts[o->first_chunk] < c->shard_first)
    o->first_chunk++;
  o->end_chunk = o->first_chunk;
  while (o->starts[o->end_chunk] < c->shard_end)
    o->end_chunk++;
  o->most_chunks = c->maximum(c, o->end_chunk - o->first_chunk);
  return c->agree(c, allocate(o, c->shard_end - c->shard_first));
}

heed_status heed_optimizer_create(heed_optimizer **result, const heed_parameter_table *table, const heed_optimizer_config *config,
                                  const heed_kernels *kernels, heed_communication *communication) {
  heed_optimizer *o = calloc(1, sizeof *o);
  heed_status status = HEED_OK;
  if (o) {
    *o = (heed_optimizer){.table = table, .config = config, .kernels = kernels, .communication = communication};
    status = list_chunks(o);
  } else {
    status = heed_error(HEED_FAILED, "out of memory for the optimizer");
  }
  status = communication->agree(communication, status); /* before the first collective: a rank that failed must not be waited for */
  if (status == HEED_OK)
    status = divide(o);
  if (status != HEED_OK) {
    heed_optimizer_free(o);
    return status;
  }
  *result = o;
  return HEED_OK;
}

void heed_optimizer_free(heed_optimizer *o) {
  if (!o)
    return;
  void *parts[] = {o->starts, o->tensor_of, o->moments[0], o->moments[1], o->direction, o->sums, o->exchange, o->tensor_sums, o};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    free(parts[i]);
}

float *heed_optimizer_moment(heed_optimizer *o, int moment) {
  return o->moments[moment];
}

/* Shares the chunk sums of all ranks: `norms` numbers a chunk.  A shard's place among the chunks is known to comm/ alone, so each rank
 * sends it along. */
static void share_sums(heed_optimizer *o, int64_t norms) {
  heed_communication *c = o->communication;
  int64_t own = o->end_chunk - o->first_chunk, stride = 2 + norms * o->most_chunks;
  double *mine = o->exchange + c->rank * stride;
  mine[0] = (double)o->first_chunk;
  mine[1] = (double)own;
  memcpy(mine + 2, o->sums + norms * o->first_chunk, (size_t)(norms * own) * sizeof *mine);
  c->allgather(c, o->exchange, stride);
  for (int rank = 0; rank < c->size; rank++) {
    const double *theirs = o->exchange + rank * stride;
    memcpy(o->sums + norms * (int64_t)theirs[0], theirs + 2, (size_t)norms * (size_t)theirs[1] * sizeof *theirs);
  }
}

/* Adds chunk sums in order: to one sum (or two) a tensor. */
static void sum_tensors(heed_optimizer *o, int64_t norms) {
  memset(o->tensor_sums, 0, (size_t)(o->table->count * norms) * sizeof *o->tensor_sums);
  for (int64_t i = 0; i < o->chunks; i++)
    for (int64_t n = 0; n < norms; n++)
      o->tensor_sums[o->tensor_of[i] * norms + n] += o->sums[i * norms + n];
}

/* The gradients' sum over all ranks, in this rank's shard; the parts of tied tensors are summed by themselves. */
static void reduce(heed_optimizer *o, float *gradients) {
  heed_communication *c = o->communication;
  c->reduce_scatter(c, gradients, 0, o->table->total);
  for (int64_t i = 0; i < o->table->tied_count; i++) {
    const heed_parameter *p = &o->table->items[o->table->tied[i].parameter];
    c->reduce_scatter(c, gradients + o->table->tied[i].offset, p->offset, p->count);
  }
}

/* Adds the second gradients of tied tensors to a chunk. */
static void add_tied(const heed_optimizer *o, float *gradients, int64_t chunk) {
  int64_t first = o->starts[chunk], count = o->starts[chunk + 1] - first;
  for (int64_t i = 0; i < o->table->tied_count; i++) {
    const heed_parameter *p = &o->table->items[o->table->tied[i].parameter];
    if (first >= p->offset && first < p->offset + p->count)
      o->kernels->add(gradients + first, gradients + o->table->tied[i].offset + (first - p->offset), count);
  }
}

/* The norm of the mean gradient; a chunk is squared while it is in cache from being added to. */
static double gradient_norm(heed_optimizer *o, float *gradients, double divisor) {
#pragma omp parallel for schedule(static)
  for (int64_t i = o->first_chunk; i < o->end_chunk; i++) {
    add_tied(o, gradients, i);
    o->sums[i] = o->kernels->square_sum(gradients + o->starts[i], o->starts[i + 1] - o->starts[i]);
  }
  share_sums(o, 1);
  sum_tensors(o, 1);
  double sum = 0;
  for (int64_t i = 0; i < o->table->count; i++)
    sum += o->tensor_sums[i];
  return sqrt(sum) / divisor;
}

static heed_adamw settings_of(const heed_optimizer *o, double learning_rate, int64_t t, double scale) {
  const heed_optimizer_config *c = o->config;
  return (heed_adamw){.learning_rate = (float)learning_rate,
                      .beta1 = (float)c->beta1,
                      .beta2 = (float)c->beta2,
                      .epsilon = (float)c->epsilon,
                      .correction1 = c->bias_correction ? (float)(1.0 / (1.0 - pow(c->beta1, (double)t))) : 1.0f,
                      .correction2 = c->bias_correction ? (float)(1.0 / (1.0 - pow(c->beta2, (double)t))) : 1.0f,
                      .gradient_scale = (float)scale};
}

static void adamw(heed_optimizer *o, float *parameters, const float *gradients, const heed_adamw *settings) {
  int64_t shard = o->communication->shard_first;
#pragma omp parallel for schedule(static)
  for (int64_t i = o->first_chunk; i < o->end_chunk; i++) {
    int64_t at = o->starts[i];
    heed_adamw own = *settings;
    own.weight_decay = o->table->items[o->tensor_of[i]].decay ? (float)o->config->weight_decay : 0.0f;
    o->kernels->adamw(parameters + at, o->moments[0] + (at - shard), o->moments[1] + (at - shard), gradients + at, o->starts[i + 1] - at,
                      &own);
  }
}

/* LAMB (You et al. 2020, algorithm 2): each tensor moves along Adam's direction by a length in proportion to its own norm. */
static void lamb(heed_optimizer *o, float *parameters, const float *gradients, const heed_adamw *settings) {
  int64_t shard = o->communication->shard_first;
#pragma omp parallel for schedule(static)
  for (int64_t i = o->first_chunk; i < o->end_chunk; i++) {
    int64_t at = o->starts[i], count = o->starts[i + 1] - at;
    heed_adamw own = *settings;
    own.weight_decay = o->table->items[o->tensor_of[i]].decay ? (float)o->config->weight_decay : 0.0f;
    o->kernels->lamb_direction(o->direction + (at - shard), o->moments[0] + (at - shard), o->moments[1] + (at - shard), parameters + at,
                               gradients + at, count, &own);
    o->sums[2 * i] = o->kernels->square_sum(parameters + at, count);
    o->sums[2 * i + 1] = o->kernels->square_sum(o->direction + (at - shard), count);
  }
  share_sums(o, 2);
  sum_tensors(o, 2);
#pragma omp parallel for schedule(static)
  for (int64_t i = o->first_chunk; i < o->end_chunk; i++) {
    const double *norms = o->tensor_sums + 2 * o->tensor_of[i];
    double trust = norms[0] > 0 && norms[1] > 0 ? sqrt(norms[0] / norms[1]) : 1.0;
    o->kernels->lamb_apply(parameters + o->starts[i], o->direction + (o->starts[i] - shard), (float)(settings->learning_rate * trust),
                           o->starts[i + 1] - o->starts[i]);
  }
}

heed_update heed_optimizer_update(heed_optimizer *o, float *parameters, float *gradients, double divisor, double learning_rate, int64_t t) {
  heed_communication *c = o->communication;
  reduce(o, gradients);
  heed_update update = {.gradient_norm = gradient_norm(o, gradients, divisor)};
  if (!isfinite(update.gradient_norm)) {
    update.skipped = true;
    return update;
  }
  double clip = o->config->clip_norm > 0 && update.gradient_norm > o->config->clip_norm ? o->config->clip_norm / update.gradient_norm : 1.0;
  heed_adamw settings = settings_of(o, learning_rate, t, clip / divisor);
  if (o->config->name == HEED_LAMB)
    lamb(o, parameters, gradients, &settings);
  else
    adamw(o, parameters, gradients, &settings);
  c->allgather_shards(c, parameters);
  return update;
}
