#include "measure/allreduce.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "heed/parameters.h"
#include "measure/median.h"

enum { LEAST_RUNS = 5, MOST_RUNS = 50, LARGEST = 64 << 20 };
#define SECONDS_A_SIZE 0.3

/* Shards of a block of `count` floats, cut at chunks, in buckets as training has them. */
static heed_status cut(heed_communication *c, int64_t count) {
  const int64_t chunks = count / HEED_CHUNK, buckets = (count + HEED_BUCKET_FLOATS - 1) / HEED_BUCKET_FLOATS;
  int64_t *cuts = malloc((size_t)(chunks + 1 + buckets + 1) * sizeof *cuts), *edges = cuts ? cuts + chunks + 1 : NULL;
  HEED_TRY(c->agree(c, cuts ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the cuts of a block")));
  for (int64_t i = 0; i <= chunks; i++)
    cuts[i] = i * HEED_CHUNK;
  for (int64_t i = 0; i <= buckets; i++)
    edges[i] = cuts[chunks * i / buckets];
  heed_status status = c->shard(c, cuts, chunks + 1, edges, buckets);
  free(cuts);
  return status;
}

/* Every rank leaves after the same number of runs: rank 0's clock decides. */
static double time_block(heed_communication *c, float *block, int64_t count) {
  double seconds[MOST_RUNS], begun = heed_seconds();
  int runs = 0;
  char more = 1;
  for (bool warm = false; more; warm = true) {
    for (int64_t i = 0; i < count; i++)
      block[i] = 1.0f;
    c->barrier(c);
    double before = heed_seconds();
    c->sum_start(c, block, 0, count);
    c->sum_finish(c);
    c->allgather_shards(c, block);
    c->barrier(c);
    if (warm)
      seconds[runs++] = heed_seconds() - before;
    more = runs < LEAST_RUNS || (runs < MOST_RUNS && heed_seconds() - begun < SECONDS_A_SIZE);
    c->broadcast(c, &more, sizeof more);
  }
  return heed_median(seconds, runs);
}

static heed_status check_sum(heed_communication *c, const float *block, int64_t count) {
  bool right = true;
  for (int64_t i = 0; i < count; i++)
    right = right && block[i] == (float)c->size;
  return c->agree(c, right ? HEED_OK : heed_error(HEED_FAILED, "a sum of ones over %d ranks came out wrong", c->size));
}

heed_status heed_allreduce_measure(heed_allreduce_result results[HEED_ALLREDUCE_SIZES], heed_communication *c) {
  if (c->size < 2)
    return heed_error(HEED_INVALID, "an allreduce needs ranks: mpirun -n 2 heed bench allreduce");
  float *block;
  heed_status status = c->allocate(c, &block, LARGEST / (int64_t)sizeof *block);
  for (int i = 0; i < HEED_ALLREDUCE_SIZES && status == HEED_OK; i++) {
    int64_t bytes = (int64_t)1 << (20 + i), count = bytes / (int64_t)sizeof *block;
    status = cut(c, count);
    if (status != HEED_OK)
      break;
    results[i] = (heed_allreduce_result){bytes, time_block(c, block, count)};
    status = check_sum(c, block, count);
  }
  c->release(c, block);
  return status;
}
