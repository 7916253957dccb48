#include "measure/rates_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "heed/parameters.h"
#include "measure/median.h"
#include "models/level.h"

enum { RUNS = 5, CHUNKS = 1024, COUNT = CHUNKS * HEED_CHUNK }; /* 16 MB a block */
enum { PIECE = 32 << 10 };                                     /* bytes that lie between two ranks, in the cache */

/* As the optimizer's: weights, moments, gradients; LAMB's directions, and in bf16 the elements. */
typedef enum block { W, M, V, G, U, E, BLOCKS } block;

typedef struct bench {
  const heed_rates_spec *spec;
  const heed_kernels *kernels;
  float *blocks[BLOCKS];
} bench;

typedef void task(bench *b);

/* What forward reads of weights that were updated. */
static void show(bench *b, int64_t at) {
  if (b->kernels->element_bytes < sizeof(float))
    b->kernels->narrow((char *)b->blocks[E] + at * (int64_t)b->kernels->element_bytes, b->blocks[W] + at, HEED_CHUNK);
}

/* What train/optimizer.c does of a shard. */
static void update(bench *b) {
  const heed_optimizer_config *config = &b->spec->config->optimizer;
  const heed_adamw settings = {.learning_rate = 1e-6f,
                               .beta1 = (float)config->beta1,
                               .beta2 = (float)config->beta2,
                               .epsilon = (float)config->epsilon,
                               .weight_decay = (float)config->weight_decay,
                               .correction1 = 1,
                               .correction2 = 1,
                               .gradient_scale = 1};
  const bool lamb = config->name == HEED_LAMB;
  double norm = 0;
#pragma omp parallel
  {
#pragma omp for schedule(static) reduction(+ : norm)
    for (int64_t i = 0; i < CHUNKS; i++)
      norm += b->kernels->square_sum(b->blocks[G] + i * HEED_CHUNK, HEED_CHUNK);
#pragma omp for schedule(static) reduction(+ : norm)
    for (int64_t i = 0; i < CHUNKS; i++) {
      int64_t at = i * HEED_CHUNK;
      if (lamb) {
        b->kernels->lamb_direction(b->blocks[U] + at, b->blocks[M] + at, b->blocks[V] + at, b->blocks[W] + at, b->blocks[G] + at,
                                   HEED_CHUNK, &settings);
        norm += b->kernels->square_sum(b->blocks[W] + at, HEED_CHUNK) + b->kernels->square_sum(b->blocks[U] + at, HEED_CHUNK);
      } else {
        b->kernels->adamw(b->blocks[W] + at, b->blocks[M] + at, b->blocks[V] + at, b->blocks[G] + at, HEED_CHUNK, &settings);
        show(b, at);
      }
    }
#pragma omp for schedule(static)
    for (int64_t i = 0; i < (lamb ? CHUNKS : 0); i++) {
      b->kernels->lamb_apply(b->blocks[W] + i * HEED_CHUNK, b->blocks[U] + i * HEED_CHUNK, 1e-6f, HEED_CHUNK);
      show(b, i * HEED_CHUNK);
    }
  }
  b->blocks[U][0] = (float)norm; /* is used */
}

static void add(bench *b) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < COUNT; i += HEED_CHUNK)
    b->kernels->add(b->blocks[M] + i, b->blocks[W] + i, HEED_CHUNK);
}

/* In pieces through a place between: what a rank gives is copied there, and what it takes is copied from there.  By one thread, which is
 * the one that exchanges. */
static void copy(bench *b) {
  char *between = (char *)b->blocks[U];
  for (size_t at = 0; at < COUNT * sizeof(float); at += PIECE) {
    memcpy(between, (char *)b->blocks[W] + at, PIECE);
    memcpy((char *)b->blocks[V] + at, between, PIECE);
  }
}

static heed_status allocate(bench *b) {
  for (block i = 0; i < BLOCKS; i++) {
    if (!(b->blocks[i] = aligned_alloc(64, COUNT * sizeof(float))))
      return heed_error(HEED_FAILED, "out of memory to time the optimizer");
    heed_memory_prefer_large_pages(b->blocks[i], COUNT * sizeof(float));
  }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < COUNT; i++) /* first touched by the thread that uses it */
    for (block j = 0; j < BLOCKS; j++)
      b->blocks[j][i] = 1e-3f;
  return HEED_OK;
}

/* The median from when all begin to when all have ended; a first run warms up. */
static double time_task(task *run, bench *b, const heed_crew *crew) {
  double seconds[RUNS];
  for (int i = -1; i < RUNS; i++) {
    heed_crew_meet(crew);
    double begun = heed_seconds();
    run(b);
    heed_crew_meet(crew);
    if (i >= 0)
      seconds[i] = heed_seconds() - begun;
  }
  return heed_median(seconds, RUNS);
}

heed_status heed_rates_memory(heed_rates *rates, const heed_rates_spec *spec, const heed_crew *crew) {
  bench b = {.spec = spec, .kernels = heed_kernels_of(spec->kernels, spec->config->train.precision)};
  heed_status status = allocate(&b);
  if (status == HEED_OK) {
    const double updated = time_task(update, &b, crew), added = time_task(add, &b, crew), copied = time_task(copy, &b, crew);
    if (crew->member == 0) {
      rates->optimizer = updated / COUNT;
      rates->add = added / COUNT;
      rates->copy = copied / (COUNT * sizeof(float));
    }
  }
  for (block i = 0; i < BLOCKS; i++)
    free(b.blocks[i]);
  return status;
}
