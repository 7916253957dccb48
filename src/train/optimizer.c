#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

/* Chunks are the units of norms and of work: HEED_CHUNK elements, restarting at each tensor.  A shard is a run of whole chunks in each
 * bucket of the flat block. */
typedef struct own_chunk {
  int64_t chunk; /* its number */
  int64_t at;    /* its first element's place in the shard */
} own_chunk;

struct heed_optimizer {
  const heed_parameter_table *table;
  const heed_optimizer_config *config;
  const heed_kernels *kernels;
  heed_communication *communication, *tensor; /* the ranks with other shards of this part of the model; those with the other parts */
  int64_t *starts;                            /* [chunks + 1] first element of each chunk */
  int64_t chunks;
  int32_t *tensor_of; /* [chunks] */
  int64_t *edges;     /* [buckets + 1] */
  int64_t buckets;
  int64_t waiting; /* buckets whose sum is not begun yet: the lowest */
  bool summing;    /* whether the second gradients' is */
  own_chunk *own;  /* [own_count] this rank's chunks */
  int64_t own_count;
  int64_t most_chunks; /* of any rank */
  int32_t *all;        /* [ranks][1 + most_chunks] how many chunks each rank has, and which */
  float *moments[2];   /* [shard] */
  float *direction;    /* [shard], LAMB's u */
  double *sums;        /* [chunks][2] of one or two norms */
  double *exchange;    /* [ranks][2 · most_chunks] */
  double *tensor_sums; /* [parts][tensors][2] */
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
              (o->exchange = calloc(ranks * 2 * (size_t)o->most_chunks + 1, sizeof(double))) &&
              (o->tensor_sums = calloc((size_t)(o->tensor->size * o->table->count) * 2, sizeof(double)));
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

/* Buckets of about HEED_BUCKET_FLOATS, cut at chunks. */
static heed_status cut_buckets(heed_optimizer *o) {
  const int64_t total = o->table->total, count = (total + HEED_BUCKET_FLOATS - 1) / HEED_BUCKET_FLOATS;
  o->edges = malloc((size_t)(count + 1) * sizeof *o->edges);
  if (!o->edges)
    return heed_error(HEED_FAILED, "out of memory for the optimizer");
  int64_t chunk = 0;
  for (int64_t i = 0; i < count; i++) {
    while (o->starts[chunk] < total / count * i)
      chunk++;
    if (o->buckets == 0 || o->starts[chunk] > o->edges[o->buckets - 1])
      o->edges[o->buckets++] = o->starts[chunk];
  }
  o->edges[o->buckets] = total;
  o->waiting = o->buckets;
  return HEED_OK;
}

/* Which of the chunks are this rank's. */
static heed_status list_own(heed_optimizer *o) {
  const heed_communication *c = o->communication;
  o->own = malloc((size_t)(o->chunks + 1) * sizeof *o->own);
  if (!o->own)
    return heed_error(HEED_FAILED, "out of memory for the optimizer");
  int64_t chunk = 0;
  for (int64_t i = 0; i < c->run_count; i++) {
    const heed_shard_run *run = &c->runs[i];
    while (o->starts[chunk] < run->first)
      chunk++;
    for (; o->starts[chunk] < run->end; chunk++)
      o->own[o->own_count++] = (own_chunk){chunk, run->at + (o->starts[chunk] - run->first)};
  }
  return HEED_OK;
}

/* Which are whose: comm/ alone knows how shards lie, so each rank tells its own.  Collective. */
static heed_status tell_own(heed_optimizer *o) {
  heed_communication *c = o->communication;
  o->most_chunks = c->maximum(c, o->own_count);
  const int64_t stride = 1 + o->most_chunks;
  double *numbers = malloc((size_t)(c->size * stride) * sizeof *numbers);
  o->all = malloc((size_t)(c->size * stride) * sizeof *o->all);
  heed_status status = c->agree(c, numbers && o->all ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the optimizer"));
  if (status == HEED_OK) {
    double *mine = numbers + c->rank * stride;
    mine[0] = (double)o->own_count;
    for (int64_t i = 0; i < o->most_chunks; i++)
      mine[1 + i] = i < o->own_count ? (double)o->own[i].chunk : 0;
    c->allgather(c, numbers, stride);
    for (int64_t i = 0; i < c->size * stride; i++)
      o->all[i] = (int32_t)numbers[i];
  }
  free(numbers);
  return status;
}

/* Each rank's part of the chunks.  Collective. */
static heed_status divide(heed_optimizer *o) {
  heed_communication *c = o->communication;
  HEED_TRY(c->agree(c, cut_buckets(o)));
  HEED_TRY(c->shard(c, o->starts, o->chunks + 1, o->edges, o->buckets));
  HEED_TRY(c->agree(c, list_own(o)));
  HEED_TRY(tell_own(o));
  return c->agree(c, allocate(o, c->shard_floats));
}

heed_status heed_optimizer_create(heed_optimizer **result, const heed_parameter_table *table, const heed_optimizer_config *config,
                                  const heed_kernels *kernels, heed_communication *communication) {
  heed_optimizer *o = calloc(1, sizeof *o);
  heed_status status = HEED_OK;
  if (o) {
    *o = (heed_optimizer){
        .table = table, .config = config, .kernels = kernels, .communication = communication->data, .tensor = communication->tensor};
    status = list_chunks(o);
  } else {
    status = heed_error(HEED_FAILED, "out of memory for the optimizer");
  }
  status = communication->agree(communication, status); /* before the first collective: a rank that failed must not be waited for */
  if (status == HEED_OK)
    status = communication->agree(communication, divide(o));
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
  void *parts[] = {o->starts,     o->tensor_of, o->edges, o->own,      o->all,         o->moments[0],
                   o->moments[1], o->direction, o->sums,  o->exchange, o->tensor_sums, o};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    free(parts[i]);
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
  for (int64_t i = 0; i < o->own_count; i++)
    memcpy(o->exchange + c->rank * stride + norms * i, o->sums + norms * o->own[i].chunk, bytes);
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
  for (int64_t i = 0; i < o->chunks; i++)
    for (int64_t n = 0; n < norms; n++)
      own[o->tensor_of[i] * norms + n] += o->sums[i * norms + n];
  add_parts(o, norms);
}

void heed_optimizer_sum(heed_optimizer *o, float *gradients, int64_t first) {
  heed_communication *c = o->communication;
  for (int64_t i = 0; i < o->table->tied_count && !o->summing; i++) { /* the parts of tied tensors are summed by themselves */
    const heed_parameter *p = &o->table->items[o->table->tied[i].parameter];
    c->sum_start(c, gradients + o->table->tied[i].offset, p->offset, p->count);
  }
  o->summing = true;
  for (; o->waiting > 0 && o->edges[o->waiting - 1] >= first; o->waiting--) {
    const int64_t begin = o->edges[o->waiting - 1];
    c->sum_start(c, gradients + begin, begin, o->edges[o->waiting] - begin);
  }
  c->sum_poll(c);
}

void heed_optimizer_sum_finish(heed_optimizer *o, float *gradients) {
  heed_optimizer_sum(o, gradients, 0);
  o->communication->sum_finish(o->communication);
  o->waiting = o->buckets;
  o->summing = false;
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
  for (int64_t i = 0; i < o->own_count; i++) {
    const int64_t chunk = o->own[i].chunk, at = o->starts[chunk];
    add_tied(o, gradients, chunk);
    o->sums[chunk] = o->kernels->square_sum(gradients + at, o->starts[chunk + 1] - at);
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
  own.weight_decay = o->table->items[o->tensor_of[chunk]].decay ? (float)o->config->weight_decay : 0.0f;
  return own;
}

static void adamw(heed_optimizer *o, float *parameters, const float *gradients, const heed_adamw *settings) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < o->own_count; i++) {
    const int64_t chunk = o->own[i].chunk, first = o->starts[chunk], at = o->own[i].at;
    const heed_adamw own = settings_at(o, settings, chunk);
    o->kernels->adamw(parameters + first, o->moments[0] + at, o->moments[1] + at, gradients + first, o->starts[chunk + 1] - first, &own);
  }
}

/* LAMB (You et al. 2020, algorithm 2): each tensor moves along Adam's direction by a length in proportion to its own norm. */
static void lamb(heed_optimizer *o, float *parameters, const float *gradients, const heed_adamw *settings) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < o->own_count; i++) {
    const int64_t chunk = o->own[i].chunk, first = o->starts[chunk], at = o->own[i].at, count = o->starts[chunk + 1] - first;
    const heed_adamw own = settings_at(o, settings, chunk);
    o->kernels->lamb_direction(o->direction + at, o->moments[0] + at, o->moments[1] + at, parameters + first, gradients + first, count,
                               &own);
    o->sums[2 * chunk] = o->kernels->square_sum(parameters + first, count);
    o->sums[2 * chunk + 1] = o->kernels->square_sum(o->direction + at, count);
  }
  share_sums(o, 2);
  sum_tensors(o, 2);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < o->own_count; i++) {
    const int64_t chunk = o->own[i].chunk, first = o->starts[chunk];
    const double *norms = o->tensor_sums + 2 * o->tensor_of[chunk];
    const double trust = norms[0] > 0 && norms[1] > 0 ? sqrt(norms[0] / norms[1]) : 1.0;
    o->kernels->lamb_apply(parameters + first, o->direction + o->own[i].at, (float)(settings->learning_rate * trust),
                           o->starts[chunk + 1] - first);
  }
}

heed_update heed_optimizer_update(heed_optimizer *o, float *parameters, float *gradients, double divisor, double learning_rate, int64_t t) {
  heed_communication *c = o->communication;
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
  const double begun = heed_seconds();
  c->allgather_shards(c, &(heed_gathered){.data = parameters, .bytes = sizeof *parameters}, 1);
  update.gather_seconds = heed_seconds() - begun;
  return update;
}
