/* The flat block in buckets, each divided among all ranks. */
#include <stdlib.h>
#include <string.h>

#include "base/cast.h"
#include "base/pulse.h"
#include "comm/layout.h"
#include "comm/shards.h"
#include "comm/sums.h"

enum { TAG_GATHER = 2 };
enum { MOST_FLOATS = INT32_MAX / (int)sizeof(float) }; /* of a bucket: MPI counts are int, and some are of bytes */

void heed_job_free_shards(heed_job *job) {
  heed_sums_free(job->sums);
  free(job->edges);
  free(job->runs);
  free(job->copies);
  job->sums = NULL;
  job->edges = NULL;
  job->runs = NULL;
  job->copies = NULL;
}

/* The runs of the place that is this rank's, one after the other in its shard. */
static void list_runs(heed_job *job) {
  heed_communication *table = &job->table;
  const int place = heed_layout_place(job, table->rank);
  table->runs = job->runs;
  table->run_count = job->buckets;
  table->shard_floats = 0;
  for (int64_t bucket = 0; bucket < job->buckets; bucket++) {
    const int64_t *edges = job->edges + bucket * (table->size + 1) + place;
    job->runs[bucket] = (heed_shard_run){edges[0], edges[1], table->shard_floats};
    table->shard_floats += edges[1] - edges[0];
  }
}

static heed_status divide(heed_job *job, const int64_t *cuts, int64_t count, const int64_t *edges, int64_t buckets) {
  heed_job_free_shards(job);
  for (int64_t i = 0; i < buckets; i++)
    if (edges[i + 1] - edges[i] > MOST_FLOATS)
      return heed_error(HEED_INVALID, "a bucket of %lld floats is more than messages can have", (long long)(edges[i + 1] - edges[i]));
  job->buckets = buckets;
  job->edges = malloc((size_t)(buckets * (job->table.size + 1)) * sizeof *job->edges);
  job->runs = malloc((size_t)buckets * sizeof *job->runs);
  job->copies = malloc(HEED_MOST_GATHERED * 2 * (size_t)buckets * sizeof *job->copies);
  if (!job->edges || !job->runs || !job->copies)
    return heed_error(HEED_FAILED, "out of memory for the shards of %d ranks", job->table.size);
  HEED_TRY(heed_layout_divide(job->edges, job->table.size, cuts, count, edges, buckets));
  list_runs(job);
  return heed_sums_create(&job->sums, job);
}

static heed_status shard(heed_communication *table, const int64_t *cuts, int64_t count, const int64_t *edges, int64_t buckets) {
  return table->agree(table, divide(heed_job_of(table), cuts, count, edges, buckets));
}

/* What of a place lies in [first, first + count): from its owner's shard to rank 0. */
static void gather_place(heed_job *job, float *root, const float *own, int64_t first, int64_t count, int64_t bucket, int place) {
  const int owner = heed_layout_owner(job, place), rank = job->table.rank;
  int64_t begin, end;
  heed_layout_range(job, first, count, bucket, (heed_places){place, place + 1}, &begin, &end);
  if (begin == end || (rank != 0 && rank != owner))
    return;
  const float *from = rank == owner ? own + job->runs[bucket].at + (begin - job->runs[bucket].first) : NULL;
  const bool before = heed_pulse_wait(true);
  if (owner == 0)
    memcpy(root + (begin - first), from, (size_t)(end - begin) * sizeof *root);
  else if (rank == owner)
    MPI_Send(from, heed_int(end - begin), MPI_FLOAT, 0, TAG_GATHER, job->ranks);
  else
    MPI_Recv(root + (begin - first), heed_int(end - begin), MPI_FLOAT, owner, TAG_GATHER, job->ranks, MPI_STATUS_IGNORE);
  heed_pulse_wait(before);
}

static void gather_range(heed_communication *table, float *root, const float *own, int64_t first, int64_t count) {
  heed_job *job = heed_job_of(table);
  for (int64_t bucket = 0; bucket < job->buckets; bucket++)
    for (int place = 0; place < table->size; place++)
      gather_place(job, root, own, first, count, bucket, place);
}

void heed_job_set_shards(heed_job *job) {
  job->table.shard = shard;
  job->table.gather_range = gather_range;
}
