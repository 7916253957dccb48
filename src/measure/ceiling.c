#include "measure/ceiling.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "measure/chains.h"

enum { WINDOWS = 8 }; /* the best of so many counts */

double heed_ceiling_sum(double value, heed_communication *c) {
  double *values = calloc((size_t)c->size, sizeof *values), sum = 0;
  if (!values)
    c->abort(c, heed_error(HEED_FAILED, "out of memory for a number a rank"));
  values[c->rank] = value;
  c->allgather(c, values, 1);
  for (int rank = 0; rank < c->size; rank++)
    sum += values[rank];
  free(values);
  return sum;
}

/* Calls of all threads within one window, over the time from the first to the last. */
static double calls_per_second(const heed_chains *chains) {
  volatile double sink = 0;
  int64_t calls = 0;
  double begun = heed_seconds();
#pragma omp parallel reduction(+ : calls)
  {
    double sum = 0;
    while (heed_seconds() - begun < HEED_CEILING_WINDOW) {
      sum += chains->run();
      calls++;
    }
#pragma omp critical
    sink = sink + sum;
  }
  return (double)calls / (heed_seconds() - begun);
}

void heed_ceiling_raise_flops(double *flops, heed_precision precision, heed_communication *c) {
  heed_chains chains = heed_chains_of(precision);
  for (int window = 0; window < WINDOWS; window++) {
    c->barrier(c);
    double rate = heed_ceiling_sum(calls_per_second(&chains) * chains.flops, c);
    *flops = rate > *flops ? rate : *flops;
  }
}

/* Floats of one block: twice the last cache, within reason, shared by the ranks of the machine. */
static int64_t block_floats(int64_t ranks_on_node) {
  long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  int64_t bytes = cache > 0 ? 2 * (int64_t)cache : 0, least = 64 << 20, most = 512 << 20;
  bytes = bytes < least ? least : bytes > most ? most : bytes;
  return bytes / ranks_on_node / (int64_t)sizeof(float) + 1;
}

static void triad(float *restrict a, const float *restrict b, const float *restrict c, float s, int64_t count) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < count; i++)
    a[i] = b[i] + s * c[i];
}

heed_status heed_ceiling_raise_bandwidth(double *bytes_per_second, heed_communication *c, int64_t ranks_on_node) {
  int64_t count = block_floats(ranks_on_node);
  float *blocks = malloc((size_t)(3 * count) * sizeof *blocks);
  HEED_TRY(c->agree(c, blocks ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the blocks of the memory's ceiling")));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i++) /* first touched by the thread that uses it */
    blocks[i] = blocks[count + i] = blocks[2 * count + i] = 1.0f;
  for (int window = 0; window < WINDOWS; window++) {
    c->barrier(c);
    double begun = heed_seconds();
    triad(blocks, blocks + count, blocks + 2 * count, 0.5f, count);
    double rate = heed_ceiling_sum(3 * sizeof(float) * (double)count / (heed_seconds() - begun), c);
    *bytes_per_second = rate > *bytes_per_second ? rate : *bytes_per_second;
  }
  free(blocks);
  return HEED_OK;
}
