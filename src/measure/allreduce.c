#include "measure/allreduce.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "heed/parameters.h"
#include "measure/median.h"

enum { LEAST_PAIRS = 5, MOST_PAIRS = 50, SMALLEST = 1 << 20 };
#define SECONDS_A_SIZE 0.6

/* Of the sums that show latency alone: floats a rank, a line of the caches; sums of a round, and rounds. */
enum { LINE = 16, SUMS_A_ROUND = 20, LEAST_ROUNDS = 5, MOST_ROUNDS = 51 };

/* Seconds.  No word goes from one process to another faster, so a fit that says less has found none. */
static const double LEAST_LATENCY = 1e-7;

int heed_allreduce_fitting(size_t available, int64_t ranks_on_node) {
  int count = 0;
  while (count < HEED_ALLREDUCE_SIZES && 2 * (size_t)ranks_on_node * ((size_t)SMALLEST << count) <= available / 3)
    count++;
  return count;
}

/* Shards of a block of `count` floats, cut at chunks of so many, in buckets as training has them. */
static heed_status cut(heed_communication *c, int64_t count, int64_t chunk) {
  const int64_t chunks = count / chunk, buckets = (count + HEED_BUCKET_FLOATS - 1) / HEED_BUCKET_FLOATS;
  int64_t *cuts = malloc((size_t)(chunks + 1 + buckets + 1) * sizeof *cuts), *edges = cuts ? cuts + chunks + 1 : NULL;
  heed_status status = c->agree(c, cuts ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the cuts of a block"));
  if (status != HEED_OK) {
    free(cuts);
    return status;
  }
  for (int64_t i = 0; i <= chunks; i++)
    cuts[i] = i * chunk;
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

/* Sums of so few bytes that t = 2 log₂P · α.  They are timed one after the other, since the ranks do not leave a barrier at once. */
static heed_status measure_latency(heed_communication *c, float *block, double *latency) {
  const int64_t count = (int64_t)c->size * LINE;
  double seconds[MOST_ROUNDS], begun = heed_seconds();
  int rounds = 0;
  char more = 1;
  HEED_TRY(cut(c, count, LINE));
  memset(block, 0, (size_t)count * sizeof *block); /* sums of sums stay finite */
  for (bool warm = false; more; warm = true) {
    c->barrier(c);
    const double before = heed_seconds();
    for (int i = 0; i < SUMS_A_ROUND; i++)
      sum_by_tree(c, block, count);
    if (warm)
      seconds[rounds++] = (heed_seconds() - before) / SUMS_A_ROUND;
    more = rounds < LEAST_ROUNDS || (rounds < MOST_ROUNDS && heed_seconds() - begun < SECONDS_A_SIZE);
    c->broadcast(c, &more, sizeof more);
  }
  *latency = heed_median(seconds, rounds) / (2 * log2(c->size));
  return HEED_OK;
}

/* Rank 0's times decide for all. */
static heed_status find_network(heed_allreduce_result *result, heed_communication *c, float *block) {
  result->network = fit(result, c->size);
  c->broadcast(c, &result->network, sizeof result->network);
  result->latency_apart = result->network.latency < LEAST_LATENCY;
  return result->latency_apart ? measure_latency(c, block, &result->network.latency) : HEED_OK;
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
  const int64_t floats = ((int64_t)SMALLEST << (result->count - 1)) / (int64_t)sizeof(float), lines = (int64_t)c->size * LINE;
  float *block;
  heed_status status = c->allocate(c, &block, floats > lines ? floats : lines);
  for (int i = 0; i < result->count && status == HEED_OK; i++) {
    int64_t count = ((int64_t)SMALLEST << i) / (int64_t)sizeof *block;
    status = cut(c, count, HEED_CHUNK);
    if (status == HEED_OK)
      status = measure_size(&result->sizes[i], spec, block, count);
  }
  if (status == HEED_OK)
    status = find_network(result, c, block);
  c->release(c, block);
  return status;
}
