#include "comm/add.h"

#include <stdlib.h>
#include <string.h>

#include "base/cast.h"
#include "base/pulse.h"
#include "comm/node.h"
#include "comm/sum.h"
#include "heed/parameters.h"

/** Floats of the buffer: as many are added at a time by messages, half of them where ranks read each other's. */
enum { BUFFER = HEED_ADD_FLOATS, HALF = BUFFER / 2 };

enum { TAG_PARTS = 3, TAG_SUMS = 4 };

struct heed_addition {
  bool shared;           /* whether the near ranks, which are all, read each other's buffers */
  float *buffer;         /* halves for this rank's pieces in turn; or what arrives, the parts of a piece one after the other */
  int64_t count;         /* pieces so far, where they are shared */
  MPI_Request *requests; /* [2 · P] */
  const float **leaves;  /* [P] */
};

/* What `rank` adds up of a piece. */
static heed_run part_of(const heed_job *job, heed_run piece, int rank) {
  const int64_t begin = heed_part_begin(piece.count, job->table.size, rank), end = heed_part_begin(piece.count, job->table.size, rank + 1);
  return (heed_run){piece.data + begin, end - begin};
}

/* Each rank lays its piece out, adds up its part of all, and takes the other parts from those that added them up.  The next piece goes
 * to the other half of the buffers: when it is added up, all have taken what they need of this one. */
static void add_near(heed_job *job, heed_run piece) {
  heed_addition *a = job->addition;
  const int size = job->table.size, rank = job->table.rank;
  const heed_run own = {a->buffer + a->count++ % 2 * HALF, piece.count}, mine = part_of(job, own, rank);
  memcpy(own.data, piece.data, (size_t)piece.count * sizeof *own.data);
  heed_node_tell(job, HEED_TURN_LAID, a->count);
  heed_node_wait(job, HEED_TURN_LAID, a->count);
  for (int member = 0; member < size; member++)
    a->leaves[member] = heed_node_peer(job, mine.data, member);
  heed_sum_leaves(mine.data, a->leaves, size, mine.count);
  heed_node_tell(job, HEED_TURN_ADDED, a->count);
  heed_node_wait(job, HEED_TURN_ADDED, a->count);
  for (int step = 0; step < size; step++) { /* each begins with its own, so that not all read from one */
    const int member = (rank + step) % size;
    const heed_run part = part_of(job, own, member), into = part_of(job, piece, member);
    memcpy(into.data, heed_node_peer(job, part.data, member), (size_t)part.count * sizeof *into.data);
  }
}

static int post_receive(heed_job *job, heed_run run, int from, int tag, int posted) {
  if (run.count > 0)
    MPI_Irecv(run.data, heed_int(run.count), MPI_FLOAT, from, tag, job->ranks, &job->addition->requests[posted++]);
  return posted;
}

static int post_send(heed_job *job, heed_run run, int to, int tag, int posted) {
  if (run.count > 0)
    MPI_Isend(run.data, heed_int(run.count), MPI_FLOAT, to, tag, job->ranks, &job->addition->requests[posted++]);
  return posted;
}

static void wait_for_messages(heed_addition *a, int posted) {
  const bool before = heed_pulse_wait(true);
  MPI_Waitall(posted, a->requests, MPI_STATUSES_IGNORE);
  heed_pulse_wait(before);
}

/* The same by messages: each part to the rank that adds it up, and its sum to all. */
static void add_messages(heed_job *job, heed_run piece) {
  heed_addition *a = job->addition;
  const int size = job->table.size, rank = job->table.rank;
  const heed_run mine = part_of(job, piece, rank);
  heed_run arriving = {a->buffer, mine.count};
  int posted = 0;
  a->leaves[rank] = mine.data;
  for (int step = 1; step < size; step++) { /* each begins with its neighbour, so that not all write to one */
    const int from = (rank + size - step) % size, to = (rank + step) % size;
    posted = post_receive(job, arriving, from, TAG_PARTS, posted);
    posted = post_send(job, part_of(job, piece, to), to, TAG_PARTS, posted);
    a->leaves[from] = arriving.data;
    arriving.data += mine.count;
  }
  wait_for_messages(a, posted);
  heed_sum_leaves(mine.data, a->leaves, size, mine.count);
  posted = 0;
  for (int step = 1; step < size; step++) {
    const int from = (rank + size - step) % size, to = (rank + step) % size;
    posted = post_receive(job, part_of(job, piece, from), from, TAG_SUMS, posted);
    posted = post_send(job, mine, to, TAG_SUMS, posted);
  }
  wait_for_messages(a, posted);
}

static void add(heed_communication *table, float *data, int64_t count) {
  heed_job *job = heed_job_of(table);
  const bool shared = job->addition->shared;
  const int64_t most = shared ? HALF : BUFFER;
  for (int64_t first = 0; first < count && table->size > 1; first += most) {
    const heed_run piece = {data + first, count - first < most ? count - first : most};
    if (shared)
      add_near(job, piece);
    else
      add_messages(job, piece);
  }
}

static heed_status allocate(heed_job *job, bool often) {
  heed_addition *a = job->addition;
  if (!a || !(a->requests = malloc(2 * (size_t)job->table.size * sizeof *a->requests)) ||
      !(a->leaves = malloc((size_t)job->table.size * sizeof *a->leaves)) || (!often && !(a->buffer = malloc(BUFFER * sizeof *a->buffer))))
    return heed_error(HEED_FAILED, "out of memory for sums between %d ranks", job->table.size);
  return HEED_OK;
}

heed_status heed_add_open(heed_job *job, bool often) {
  heed_communication *table = &job->table;
  heed_addition *a = job->addition = calloc(1, sizeof *a);
  HEED_TRY(table->agree(table, allocate(job, often)));
  if (!often)
    return HEED_OK;
  HEED_TRY(table->allocate(table, &a->buffer, BUFFER));
  a->shared = job->near == table->size && heed_node_shares(job, a->buffer);
  return HEED_OK;
}

void heed_add_close(heed_job *job) {
  heed_addition *a = job->addition;
  if (!a)
    return;
  job->table.release(&job->table, a->buffer);
  free(a->requests);
  free(a->leaves);
  free(a);
  job->addition = NULL;
}

void heed_job_set_add(heed_job *job) {
  job->table.add = add;
}
