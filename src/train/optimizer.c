#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/pulse.h"

struct heed_optimizer {
  const heed_parameter_table *table;
  const heed_optimizer_config *config;
  const heed_kernels *kernels;
  heed_communication *communication, *tensor; /* the ranks with other shards of this part of the model; those with the other parts */
  heed_chunks chunks;
  int64_t waiting;     /* buckets whose sum is not begun yet: the lowest */
  bool summing;        /* whether the second gradients' is */
  int64_t most_chunks; /* of any rank */
  int32_t *all;        /* [ranks][1 + most_chunks] how many chunks each rank has, and which */
  float *moments[2];   /* [shard] */
  float *direction;    /* [shard], LAMB's u */
  double *sums;        /* [chunks][2] of one or two norms */
  double *exchange;    /* [ranks][2 · most_chunks] */
  double *tensor_sums; /* [parts][tensors][2] */
};

static heed_status allocate(heed_optimizer *o, int64_t shard) {
  size_t ranks = (size_t)o->communication->size;
  bool have = (o->moments[0] = heed_memory_fresh(shard + 1, true)) && (o->moments[1] = heed_memory_fresh(shard + 1, true)) &&
              (o->config->name != HEED_LAMB || (o->direction = heed_memory_fresh(shard + 1, true))) &&
              (o->sums = calloc((size_t)o->chunks.count * 2, sizeof(double))) &&
              (o->exchange = calloc(ranks * 2 * (size_t)o->most_chunks + 1, sizeof(double))) &&
              (o->tensor_sums = calloc((size_t)(o->tensor->size * o->table->count) * 2, sizeof(double)));
  return have ? HEED_OK : heed_error(HEED_FAILED, "out of memory for optimizer moments of %lld parameters", (long long)shard);
}

size_t heed_optimizer_bytes(const heed_parameter_table *table, const heed_optimizer_config *config, int ranks) {
  size_t blocks = config->name == HEED_LAMB ? 3 : 2, shard = (size_t)((table->total + ranks - 1) / ranks);
  return blocks * shard * sizeof(float);
}

/* Which are whose: comm/ alone knows how shards lie, so each rank tells its own.  Collective. */
static heed_status tell_own(heed_optimizer *o) {
  heed_communication *c = o->communication;
  o->most_chunks = c->maximum(c, o->chunks.own_count);
  const int64_t stride = 1 + o->most_chunks;
  double *numbers = malloc((size_t)(c->size * stride) * sizeof *numbers);
  o->all = malloc((size_t)(c->size * stride) * sizeof *o->all);
  heed_status status = c->agree(c, numbers && o->all ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the optimizer"));
  if (status == HEED_OK) {
    double *mine = numbers + c->rank * stride;
    mine[0] = (double)o->chunks.own_count;
    for (int64_t i = 0; i < o->most_chunks; i++)
      mine[1 + i] = i < o->chunks.own_count ? (double)o->chunks.own[i].chunk : 0;
    c->allgather(c, numbers, stride);
    for (int64_t i = 0; i < c->size * stride; i++)
      o->all[i] = (int32_t)numbers[i];
  }
  free(numbers);
  return status;
}

/* Collective. */
static heed_status prepare(heed_optimizer *o) {
  heed_communication *c = o->communication;
  HEED_TRY(heed_chunks_divide(&o->chunks, o->table, c));
  o->waiting = o->chunks.buckets;
  HEED_TRY(tell_own(o));
  return c->agree(c, allocate(o, c->shard_floats));
}

heed_status heed_optimizer_create(heed_optimizer **result, const heed_parameter_table *table, const heed_optimizer_config *config,
                                  const heed_kernels *kernels, heed_communication *communication) {
  heed_optimizer *o = calloc(1, sizeof *o);
  if (o)
    *o = (heed_optimizer){
        .table = table, .config = config, .kernels = kernels, .communication = communication->data, .tensor = communication->tensor};
  /* before the first collective: a rank that failed must not be waited for */
  heed_status status = communication->agree(communication, o ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the optimizer"));
  if (status == HEED_OK)
    status = communication->agree(communication, prepare(o));
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
  heed_chunks_free(&o->chunks);
  void *parts[] = {o->all, o->moments[0], o->moments[1], o->direction, o->sums, o->exchange, o->tensor_sums, o};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    free(parts[i]);
}

const heed_chunks *heed_optimizer_chunks(const heed_optimizer *o) {
  return &o->chunks;
}

float *heed_optimizer_moment(heed_optimizer *o, int moment) {
  return o->moments[moment];
}

void heed_optimizer_forget(heed_optimizer *o) {
  for (int i = 0; i < 2; i++)
    memset(o->moments[i], 0, (size_t)o->communication->shard_floats * sizeof *o->moments[i]);
}

/* Shares the chunk sums of all ranks: `norms` numbers a chunk. */
static void share_sums(heed_optimizer *o, int64_t norms) {
  heed_communication *c = o->communication;
  const int64_t stride = norms * o->most_chunks;
  const size_t bytes = (size_t)norms * sizeof *o->sums;
  for (int64_t i = 0; i < o->chunks.own_count; i++)
    memcpy(o->exchange + c->rank * stride + norms * i, o->sums + norms * o->chunks.own[i].chunk, bytes);
  c->allgather(c, o->exchange, stride);
  for (int rank = 0; rank < c->size; rank++) {
    const int32_t *theirs = o->all + rank * (1 + o->most_chunks);
    for (int32_t i = 0; i < theirs[0]; i++)
      memcpy(o->sums + norms * theirs[1 + i], o->exchange + rank * stride + norms * i, bytes);
  }
}

/* The sums of whole tensors: of those that are split the parts' together, of others the first part's, which all have. */
static void add_parts(heed_optimizer *o, int64_t norms) {
  const int64_t stride = o->table->count * norms;
  o->tensor->allgather(o->tensor, o->tensor_sums, stride);
  for (int64_t i = 0; i < stride; i++)
    for (int part = 1; part < o->tensor->size && o->table->items[i / norms].shard_axis >= 0; part++)
      o->tensor_sums[i] += o->tensor_sums[part * stride + i];
}

/* Adds chunk sums in order: to one sum (or two) a tensor. */
static void sum_tensors(heed_optimizer *o, int64_t norms) {
  double *own = o->tensor_sums + o->tensor->rank * o->table->count * norms;
  memset(own, 0, (size_t)(o->table->count * norms) * sizeof *own);
  for (int64_t i = 0; i < o->chunks.count; i++)
    for (int64_t n = 0; n < norms; n++)
      own[o->chunks.tensor_of[i] * norms + n] += o->sums[i * norms + n];
  add_parts(o, norms);
}

void heed_optimizer_sum(heed_optimizer *o, float *gradients, int64_t first) {
  heed_communication *c = o->communication;
  for (int64_t i = 0; i < o->table->tied_count && !o->summing; i++) { /* the parts of tied tensors are summed by themselves */
    const heed_parameter *p = &o->table->items[o->table->tied[i].parameter];
    c->sum_start(c, gradients + o->table->tied[i].offset, p->offset, p->count);
  }
  o->summing = true;
  for (; o->waiting > 0 && o->chunks.edges[o->waiting - 1] >= first; o->waiting--) {
    const int64_t begin = o->chunks.edges[o->waiting - 1];
    c->sum_start(c, gradients + begin, begin, o->chunks.edges[o->waiting] - begin);
  }
  c->sum_poll(c);
}

void heed_optimizer_sum_finish(heed_optimizer *o, float *gradients) {
  heed_optimizer_sum(o, gradients, 0);
  o->communication->sum_finish(o->communication);
  o->waiting = o->chunks.buckets;
  o->summing = false;
}

/* Adds the second gradients of tied tensors to a chunk. */
static void add_tied(const heed_optimizer *o, float *gradients, int64_t chunk) {
  int64_t first = o->chunks.starts[chunk], count = heed_chunk_floats(&o->chunks, chunk);
  for (int64_t i = 0; i < o->table->tied_count; i++) {
    const heed_parameter *p = &o->table->items[o->table->tied[i].parameter];
    if (first >= p->offset && first < p->offset + p->count)
      o->kernels->add(gradients + first, gradients + o->table->tied[i].offset + (first - p->offset), count);
  }
}

/* The norm of the mean gradient; a chunk is squared while it is in cache from being added to. */
static double gradient_norm(heed_optimizer *o, float *gradients, double divisor) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < o->chunks.own_count; i++) {
    const int64_t chunk = o->chunks.own[i].chunk, at = o->chunks.starts[chunk];
    add_tied(o, gradients, chunk);
    o->sums[chunk] = o->kernels->square_sum(gradients + at, heed_chunk_floats(&o->chunks, chunk));
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

/* The settings of a chunk: whether its weights decay is its tensor's. */
static heed_adamw settings_at(const heed_optimizer *o, const heed_adamw *settings, int64_t chunk) {
  heed_adamw own = *settings;
  own.weight_decay = heed_chunk_tensor(&o->chunks, chunk)->decay ? (float)o->config->weight_decay : 0.0f;
  return own;
}

static void adamw(heed_optimizer *o, const heed_masters *masters, const float *gradients, const heed_adamw *settings) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < o->chunks.own_count; i++) {
    const heed_own_chunk c = o->chunks.own[i];
    const heed_adamw own = settings_at(o, settings, c.chunk);
    o->kernels->adamw(heed_masters_at(masters, c), o->moments[0] + c.at, o->moments[1] + c.at, gradients + o->chunks.starts[c.chunk],
                      heed_chunk_floats(&o->chunks, c.chunk), &own);
    heed_masters_show(masters, c); /* while it is in cache */
  }
}

/* LAMB (You et al. 2020, algorithm 2): each tensor moves along Adam's direction by a length in proportion to its own norm. */
static void lamb(heed_optimizer *o, const heed_masters *masters, const float *gradients, const heed_adamw *settings) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < o->chunks.own_count; i++) {
    const heed_own_chunk c = o->chunks.own[i];
    const int64_t count = heed_chunk_floats(&o->chunks, c.chunk);
    const float *w = heed_masters_at(masters, c);
    const heed_adamw own = settings_at(o, settings, c.chunk);
    o->kernels->lamb_direction(o->direction + c.at, o->moments[0] + c.at, o->moments[1] + c.at, w, gradients + o->chunks.starts[c.chunk],
                               count, &own);
    o->sums[2 * c.chunk] = o->kernels->square_sum(w, count);
    o->sums[2 * c.chunk + 1] = o->kernels->square_sum(o->direction + c.at, count);
  }
  share_sums(o, 2);
  sum_tensors(o, 2);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < o->chunks.own_count; i++) {
    const heed_own_chunk c = o->chunks.own[i];
    const double *norms = o->tensor_sums + 2 * o->chunks.tensor_of[c.chunk];
    const double trust = norms[0] > 0 && norms[1] > 0 ? sqrt(norms[0] / norms[1]) : 1.0;
    o->kernels->lamb_apply(heed_masters_at(masters, c), o->direction + c.at, (float)(settings->learning_rate * trust),
                           heed_chunk_floats(&o->chunks, c.chunk));
    heed_masters_show(masters, c);
  }
}

heed_update heed_optimizer_update(heed_optimizer *o, const heed_masters *masters, float *gradients, double divisor, double learning_rate,
                                  int64_t t) {
  heed_update update = {.gradient_norm = gradient_norm(o, gradients, divisor)};
  if (!isfinite(update.gradient_norm)) {
    update.skipped = true;
    return update;
  }
  double clip = o->config->clip_norm > 0 && update.gradient_norm > o->config->clip_norm ? o->config->clip_norm / update.gradient_norm : 1.0;
  heed_adamw settings = settings_of(o, learning_rate, t, clip / divisor);
  if (o->config->name == HEED_LAMB)
    lamb(o, masters, gradients, &settings);
  else
    adamw(o, masters, gradients, &settings);
  const double begun = heed_seconds();
  heed_pulse_enter(HEED_PHASE_COPYING);
  heed_masters_gather(masters);
  update.gather_seconds = heed_seconds() - begun;
  return update;
}
