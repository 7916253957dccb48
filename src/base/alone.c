/* The communication table of a process by itself: one rank, one shard, nothing to exchange. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "heed/communication.h"
#include "heed/log.h"

static heed_status alone_agree(heed_communication *c, heed_status mine) {
  (void)c;
  return mine;
}
static void alone_broadcast(heed_communication *c, void *data, size_t bytes) {
  (void)c, (void)data, (void)bytes;
}
static void alone_allgather(heed_communication *c, double *values, int64_t count) {
  (void)c, (void)values, (void)count;
}
static void alone_add(heed_communication *c, float *data, int64_t count) {
  (void)c, (void)data, (void)count;
}
static int64_t alone_maximum(heed_communication *c, int64_t value) {
  (void)c;
  return value;
}
static void alone_barrier(heed_communication *c) {
  (void)c;
}
static heed_status alone_allocate(heed_communication *c, float **block, int64_t count) {
  (void)c;
  *block = heed_memory_block(count);
  if (!*block)
    return heed_error(HEED_FAILED, "out of memory for a block of %lld MB", (long long)(count >> 18));
  heed_memory_zero(*block, count);
  return HEED_OK;
}
static void alone_release(heed_communication *c, float *block) {
  (void)c;
  free(block);
}
static heed_status alone_shard(heed_communication *c, const int64_t *cuts, int64_t count, const int64_t *edges, int64_t buckets) {
  static heed_shard_run all;
  (void)edges, (void)buckets;
  all = (heed_shard_run){.first = 0, .end = cuts[count - 1], .at = 0};
  c->runs = &all;
  c->run_count = 1;
  c->shard_floats = all.end;
  return HEED_OK;
}
static void alone_sum_start(heed_communication *c, float *data, int64_t first, int64_t count) {
  (void)c, (void)data, (void)first, (void)count;
}
static void alone_sum_go_on(heed_communication *c) {
  (void)c;
}
static void alone_allgather_shards(heed_communication *c, const heed_gathered *blocks, int count) {
  (void)c, (void)blocks, (void)count;
}
static void alone_gather_range(heed_communication *c, float *root, const float *shard, int64_t first, int64_t count) {
  (void)c;
  memcpy(root, shard + first, (size_t)count * sizeof *root);
}
static void alone_bring(heed_communication *c, void *root, const void *data, size_t bytes, int from) {
  (void)c, (void)from;
  memcpy(root, data, bytes);
}
static void alone_abort(heed_communication *c, heed_status status) {
  (void)c;
  heed_rank_alarm("error: ", "%s", heed_error_text());
  exit(status);
}

heed_communication *heed_alone(void) {
  static heed_communication alone = {.rank = 0,
                                     .size = 1,
                                     .near = 1,
                                     .data = &alone,
                                     .tensor = &alone,
                                     .agree = alone_agree,
                                     .broadcast = alone_broadcast,
                                     .allgather = alone_allgather,
                                     .add = alone_add,
                                     .maximum = alone_maximum,
                                     .barrier = alone_barrier,
                                     .allocate = alone_allocate,
                                     .release = alone_release,
                                     .shard = alone_shard,
                                     .sum_start = alone_sum_start,
                                     .sum_poll = alone_sum_go_on,
                                     .sum_finish = alone_sum_go_on,
                                     .allgather_shards = alone_allgather_shards,
                                     .gather_range = alone_gather_range,
                                     .bring = alone_bring,
                                     .abort = alone_abort};
  return &alone;
}
