/* Each rank's shard of a flat block, copied to all: the way of the sums back.
 *
 * The counterparts of the groups first, then ranks at distance … 4, 2, 1 tell each other what they have, each time twice as much; ranks
 * that share memory copy from each other at last. */
#include <string.h>

#include "base/cast.h"
#include "comm/layout.h"
#include "comm/node.h"

enum { TAG_COPY = 1 };

/* Sends places `give` of all buckets to rank `to`, and receives `take` from rank `from`. */
static void exchange_places(heed_job *job, heed_part whole, int to, heed_places give, int from, heed_places take) {
  int count = 0;
  for (int64_t bucket = 0; bucket < job->buckets; bucket++) {
    const heed_run out = heed_layout_run(job, whole, bucket, give), in = heed_layout_run(job, whole, bucket, take);
    if (in.count > 0)
      MPI_Irecv(in.data, heed_int(in.count), MPI_FLOAT, from, TAG_COPY, job->ranks, &job->copies[count++]);
    if (out.count > 0)
      MPI_Isend(out.data, heed_int(out.count), MPI_FLOAT, to, TAG_COPY, job->ranks, &job->copies[count++]);
  }
  MPI_Waitall(count, job->copies, MPI_STATUSES_IGNORE);
}

/* By messages, until each rank has what it would hold before the exchange of a sum at `distance`. */
static void exchange_until(heed_job *job, heed_part whole, int until) {
  const int q = job->groups, group = job->table.rank / job->group, member = job->table.rank % job->group;
  const int low = heed_layout_held(job, job->table.rank, job->group).low;
  for (int step = 1; step < q; step++) {
    const int to = (group + step) % q, from = (group + q - step) % q;
    exchange_places(job, whole, to * job->group + member, (heed_places){low + group, low + group + 1}, from * job->group + member,
                    (heed_places){low + from, low + from + 1});
  }
  for (int distance = job->group / 2; distance >= until; distance /= 2) {
    const int partner = job->table.rank ^ distance;
    exchange_places(job, whole, partner, heed_layout_held(job, job->table.rank, 2 * distance), partner,
                    heed_layout_held(job, partner, 2 * distance));
  }
}

/* Copies [begin, end) of the block from a near rank's; all threads share the work. */
static void copy_from(heed_job *job, heed_run run, int member) {
  enum { PIECE = 1 << 15 };
  if (run.count == 0)
    return;
  const float *from = heed_node_peer(job, run.data, member);
#pragma omp parallel for schedule(static) if (run.count > PIECE)
  for (int64_t i = 0; i < run.count; i += PIECE)
    memcpy(run.data + i, from + i, (size_t)(run.count - i < PIECE ? run.count - i : PIECE) * sizeof *from);
}

static heed_places given_by(const heed_job *job, int rank) {
  const int place = heed_layout_place(job, rank);
  return job->near == job->table.size ? (heed_places){place, place + 1} : heed_layout_held(job, rank, job->near);
}

static void copy_near(heed_job *job, heed_part whole) {
  const int own = job->table.rank - job->near_first;
  heed_node_tell(job, HEED_TURN_FILLED, ++job->filled);
  heed_node_wait(job, HEED_TURN_FILLED, job->filled);
  for (int step = 1; step < job->near; step++) { /* each from its neighbour first, so that not all read from one */
    const int member = (own + step) % job->near;
    for (int64_t bucket = 0; bucket < job->buckets; bucket++)
      copy_from(job, heed_layout_run(job, whole, bucket, given_by(job, job->near_first + member)), member);
  }
  heed_node_tell(job, HEED_TURN_COPIED, job->filled);
  heed_node_wait(job, HEED_TURN_COPIED, job->filled); /* before anybody writes what others may be reading */
}

static void allgather_shards(heed_communication *table, float *data) {
  heed_job *job = heed_job_of(table);
  const heed_part whole = {data, 0, job->edges[job->buckets * (table->size + 1) - 1]};
  const bool shared = heed_node_shares(job, data);
  if (!shared || job->near < table->size)
    exchange_until(job, whole, shared ? job->near : 1);
  if (shared)
    copy_near(job, whole);
}

void heed_job_set_gather(heed_job *job) {
  job->table.allgather_shards = allgather_shards;
}
