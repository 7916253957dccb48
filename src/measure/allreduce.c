#include "measure/allreduce.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "heed/parameters.h"
#include "measure/median.h"

enum { LEAST_PAIRS = 5, MOST_PAIRS = 50, SMALLEST = 1 << 20 };
#define SECONDS_A_SIZE 0.6

int heed_allreduce_fitting(size_t available, int64_t ranks_on_node) {
  int count = 0;
  while (count < HEED_ALLREDUCE_SIZES && 2 * (size_t)ranks_on_node * ((size_t)SMALLEST << count) <= available / 3)
    count++;
  return count;
}

/* Shards of a block of `count` floats, cut at chunks, in buckets as training has them. */
static heed_status cut(heed_communication *c, int64_t count) {
  const int64_t chunks = count / HEED_CHUNK, buckets = (count + HEED_BUCKET_FLOATS - 1) / HEED_BUCKET_FLOATS;
  int64_t *cuts = malloc((size_t)(chunks + 1 + buckets + 1) * sizeof *cuts), *edges = cuts ? cuts + chunks + 1 : NULL;
  heed_status status = c->agree(c, cuts ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the cuts of a block"));
  if (status != HEED_OK) {
    free(cuts);
    return status;
  }
  for (int64_t i = 0; i <= chunks; i++)
    cuts[i] = i * HEED_CHUNK;
  for (int64_t i = 0; i <= buckets; i++)
    edges[i] = cuts[chunks * i / buckets];
  status = c->shard(c, cuts, chunks + 1, edges, buckets);
  free(cuts);
  return status;
}

/* Ours, as a training step makes it: gradients summed into shards, parameters gathered from them. */
static void sum_by_tree(heed_communication *c, float *block, int64_t count) {
  const heed_gathered whole = {.data = block, .bytes = sizeof *block};
  c->sum_start(c, block, 0, count);
  c->sum_finish(c);
  c->allgather_shards(c, &whole, 1);
}

static void fill(float *block, int64_t count) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i++)
    block[i] = 1.0f;
}

static bool holds_only(const float *block, int64_t count, float value) {
  int64_t others = 0;
#pragma omp parallel for schedule(static) reduction(+ : others)
  for (int64_t i = 0; i < count; i++)
    others += block[i] != value;
  return others == 0;
}

static double time_sum(heed_communication *c, heed_allreduce_sum *sum, float *block, int64_t count, bool *right) {
  fill(block, count);
  c->barrier(c);
  double begun = heed_seconds();
  sum(c, block, count);
  c->barrier(c);
  double spent = heed_seconds() - begun;
  *right = *right && holds_only(block, count, (float)c->size);
  return spent;
}

/* Pairs, each beginning with the other of the two; a first one warms up.  Every rank leaves after the same number: rank 0's clock decides.
 */
static heed_status measure_size(heed_allreduce_size *size, const heed_allreduce_spec *spec, float *block, int64_t count) {
  heed_communication *c = spec->communication;
  heed_allreduce_sum *const sums[] = {sum_by_tree, spec->peer};
  double seconds[2][MOST_PAIRS], ratios[MOST_PAIRS], begun = heed_seconds();
  bool right = true;
  int pairs = 0;
  char more = 1;
  for (bool warm = false; more; warm = true) {
    double pair[2];
    for (int turn = 0; turn < 2; turn++) {
      int which = (turn + pairs) % 2;
      pair[which] = time_sum(c, sums[which], block, count, &right);
    }
    if (warm) {
      seconds[0][pairs] = pair[0];
      seconds[1][pairs] = pair[1];
      ratios[pairs++] = pair[1] / pair[0];
    }
    more = pairs < LEAST_PAIRS || (pairs < MOST_PAIRS && heed_seconds() - begun < SECONDS_A_SIZE);
    c->broadcast(c, &more, sizeof more);
  }
  *size = (heed_allreduce_size){count * (int64_t)sizeof *block, heed_median(seconds[0], pairs), heed_median(seconds[1], pairs),
                                heed_median(ratios, pairs)};
  return c->agree(c, right ? HEED_OK : heed_error(HEED_FAILED, "a sum of ones over %d ranks came out wrong", c->size));
}

static heed_network fit(const heed_allreduce_result *result, int ranks) {
  double bytes[HEED_ALLREDUCE_SIZES], seconds[HEED_ALLREDUCE_SIZES];
  for (int i = 0; i < result->count; i++) {
    bytes[i] = (double)result->sizes[i].bytes;
    seconds[i] = result->sizes[i].seconds;
  }
  return heed_network_fit(bytes, seconds, result->count, ranks);
}

heed_status heed_allreduce_measure(heed_allreduce_result *result, const heed_allreduce_spec *spec) {
  heed_communication *c = spec->communication;
  *result = (heed_allreduce_result){0};
  if (c->size < 2)
    return heed_error(HEED_INVALID, "an allreduce needs ranks: mpirun -n 2 heed bench allreduce");
  while (result->wanted < HEED_ALLREDUCE_SIZES && (int64_t)SMALLEST << result->wanted <= spec->largest)
    result->wanted++;
  const int fitting = heed_allreduce_fitting(heed_memory_available(), spec->ranks_on_node);
  result->count = -(int)c->maximum(c, -(fitting < result->wanted ? fitting : result->wanted));
  if (result->count == 0)
    return heed_error(HEED_FAILED, "a third of the memory that is available does not hold blocks of 1 MB on a machine's ranks");
  float *block;
  heed_status status = c->allocate(c, &block, ((int64_t)SMALLEST << (result->count - 1)) / (int64_t)sizeof *block);
  for (int i = 0; i < result->count && status == HEED_OK; i++) {
    int64_t count = ((int64_t)SMALLEST << i) / (int64_t)sizeof *block;
    status = cut(c, count);
    if (status == HEED_OK)
      status = measure_size(&result->sizes[i], spec, block, count);
  }
  c->release(c, block);
  if (status == HEED_OK)
    result->network = fit(result, c->size);
  return status;
}
