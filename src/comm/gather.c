/* Each rank's shard of blocks, copied to all: the way of the sums back.
 *
 * The counterparts of the groups first, then ranks at distance … 4, 2, 1 tell each other what they have, each time twice as much; ranks
 * that share memory copy from each other at last. */
#include <string.h>

#include "base/cast.h"
#include "base/pulse.h"
#include "comm/layout.h"
#include "comm/node.h"

enum { TAG_COPY = 1 };

/* Where a block has an element of the flat one, or else the next one that it has. */
static char *place_of(const heed_gathered *block, int64_t element) {
  int64_t low = 0, high = block->part_count, at = block->parts ? 0 : element;
  while (low < high) { /* how many parts begin there or before */
    const int64_t middle = (low + high) / 2;
    if (block->parts[middle].first <= element)
      low = middle + 1;
    else
      high = middle;
  }
  if (low > 0) {
    const heed_shard_run *part = &block->parts[low - 1];
    at = part->at + (element < part->end ? element : part->end) - part->first;
  }
  return (char *)block->data + at * (int64_t)block->bytes;
}

/* Bytes in memory. */
typedef struct stretch {
  char *data;
  int64_t bytes;
} stretch;

static stretch stretch_of(const heed_job *job, const heed_gathered *block, int64_t bucket, heed_places places) {
  const int64_t *edges = job->edges + bucket * (job->table.size + 1);
  char *begin = place_of(block, edges[places.low]);
  return (stretch){begin, place_of(block, edges[places.high]) - begin};
}

/* What is gathered at a time. */
typedef struct gathering {
  const heed_gathered *blocks;
  int count;
} gathering;

/* Sends places `give` of all buckets to rank `to`, and receives `take` from rank `from`. */
static void exchange_places(heed_job *job, gathering all, int to, heed_places give, int from, heed_places take) {
  int count = 0;
  for (int i = 0; i < all.count; i++)
    for (int64_t bucket = 0; bucket < job->buckets; bucket++) {
      const stretch out = stretch_of(job, &all.blocks[i], bucket, give), in = stretch_of(job, &all.blocks[i], bucket, take);
      if (in.bytes > 0)
        MPI_Irecv(in.data, heed_int(in.bytes), MPI_BYTE, from, TAG_COPY, job->ranks, &job->copies[count++]);
      if (out.bytes > 0)
        MPI_Isend(out.data, heed_int(out.bytes), MPI_BYTE, to, TAG_COPY, job->ranks, &job->copies[count++]);
    }
  const bool before = heed_pulse_wait(true);
  MPI_Waitall(count, job->copies, MPI_STATUSES_IGNORE);
  heed_pulse_wait(before);
}

/* By messages, until each rank has what it would hold before the exchange of a sum at `distance`. */
static void exchange_until(heed_job *job, gathering all, int until) {
  const int q = job->groups, group = job->table.rank / job->group, member = job->table.rank % job->group;
  const int low = heed_layout_held(job, job->table.rank, job->group).low;
  for (int step = 1; step < q; step++) {
    const int to = (group + step) % q, from = (group + q - step) % q;
    exchange_places(job, all, to * job->group + member, (heed_places){low + group, low + group + 1}, from * job->group + member,
                    (heed_places){low + from, low + from + 1});
  }
  for (int distance = job->group / 2; distance >= until; distance /= 2) {
    const int partner = job->table.rank ^ distance;
    exchange_places(job, all, partner, heed_layout_held(job, job->table.rank, 2 * distance), partner,
                    heed_layout_held(job, partner, 2 * distance));
  }
}

/* Copies a near rank's bytes of the same place; all threads share the work. */
static void copy_from(heed_job *job, stretch to, int member) {
  enum { PIECE = 1 << 17 };
  if (to.bytes == 0)
    return;
  const char *from = heed_node_peer(job, to.data, member);
#pragma omp parallel for schedule(static) if (to.bytes > PIECE)
  for (int64_t i = 0; i < to.bytes; i += PIECE)
    memcpy(to.data + i, from + i, (size_t)(to.bytes - i < PIECE ? to.bytes - i : PIECE));
}

static heed_places given_by(const heed_job *job, int rank) {
  const int place = heed_layout_place(job, rank);
  return job->near == job->table.size ? (heed_places){place, place + 1} : heed_layout_held(job, rank, job->near);
}

static void copy_near(heed_job *job, gathering all) {
  const int own = job->table.rank - job->near_first;
  heed_node_tell(job, HEED_TURN_FILLED, ++job->filled);
  heed_node_wait(job, HEED_TURN_FILLED, job->filled);
  for (int step = 1; step < job->near; step++) { /* each from its neighbour first, so that not all read from one */
    const int member = (own + step) % job->near;
    const heed_places given = given_by(job, job->near_first + member);
    for (int i = 0; i < all.count; i++)
      for (int64_t bucket = 0; bucket < job->buckets; bucket++)
        copy_from(job, stretch_of(job, &all.blocks[i], bucket, given), member);
  }
  heed_node_tell(job, HEED_TURN_COPIED, job->filled);
  heed_node_wait(job, HEED_TURN_COPIED, job->filled); /* before anybody writes what others may be reading */
}

static void allgather_shards(heed_communication *table, const heed_gathered *blocks, int count) {
  heed_job *job = heed_job_of(table);
  const gathering all = {blocks, count};
  bool shared = true;
  for (int i = 0; i < count; i++)
    shared = heed_node_shares(job, blocks[i].data) && shared;
  if (!shared || job->near < table->size)
    exchange_until(job, all, shared ? job->near : 1);
  if (shared)
    copy_near(job, all);
}

void heed_job_set_gather(heed_job *job) {
  job->table.allgather_shards = allgather_shards;
}
