#include "comm/sums.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "base/cast.h"
#include "base/pulse.h"
#include "comm/layout.h"
#include "comm/node.h"
#include "comm/sum.h"
#include "comm/world.h"
#include "heed/parameters.h"

/** Sums under way at a time. */
enum { ABREAST = 4 };

/** Floats of a message: what was received is still in the cache when it is added. */
enum { PIECE = 1 << 18 };

/** Floats that the groups exchange at a time, of all others together. */
enum { GROUPS_FLOATS = 4 << 20 };

enum { TAG_FIRST = 16, TAGS = 1 << 14 }; /* one for each sum under way */

typedef enum stage { NEAR, HALVES, GROUPS, DONE } stage;

typedef struct sum {
  heed_part whole;
  int64_t bucket, number;
  stage stage;
  int distance;       /* HALVES: of the exchange */
  bool posted;        /* whether its messages are */
  heed_run take;      /* HALVES: what arriving pieces are added to; GROUPS: this rank's piece */
  int64_t piece;      /* the next that arrives */
  int incoming, sent; /* messages of the exchange: requests [0, incoming) and [incoming, incoming + sent) */
} sum;

/* What a sum under way receives into. */
typedef struct landing {
  float *arrived;
  MPI_Request *requests;
  const float **leaves; /* [P] */
} landing;

struct heed_sums {
  sum *queue; /* a ring: of sums [ended, begun) */
  int64_t capacity, begun, ended;
  landing landings[ABREAST];
  int64_t group_piece; /* floats */
};

/* ---- memory ---- */

static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static int64_t pieces_of(int64_t floats) {
  return (floats + PIECE - 1) / PIECE;
}

/* The most floats that a bucket brings to be added at once: a half of it, or a piece from each other group. */
static int64_t most_arriving(const heed_job *job) {
  int64_t most = 0, piece = 0;
  for (int64_t bucket = 0; bucket < job->buckets; bucket++) {
    const int64_t *edges = job->edges + bucket * (job->table.size + 1);
    const int middle = job->table.size / 2;
    if (job->group > 1)
      most = larger(most, larger(edges[middle] - edges[0], edges[job->table.size] - edges[middle]));
    for (int place = 0; job->groups > 1 && place < job->table.size; place++)
      piece = larger(piece, edges[place + 1] - edges[place]);
  }
  const int64_t all = piece * (job->groups - 1);
  return larger(most, all < GROUPS_FLOATS ? all : GROUPS_FLOATS);
}

static heed_status allocate(heed_sums *s, const heed_job *job) {
  const int64_t others = job->groups - 1, floats = larger(larger(most_arriving(job), others), 1);
  const size_t requests = (size_t)(2 * larger(pieces_of(floats) + 1, others)), bytes = (size_t)(floats + 15) / 16 * 64;
  s->group_piece = others > 0 ? floats / others : 0;
  s->capacity = 4 * (job->buckets + ABREAST);
  bool have = (s->queue = calloc((size_t)s->capacity, sizeof *s->queue));
  for (int i = 0; i < ABREAST && have; i++) {
    landing *to = &s->landings[i];
    have = (to->arrived = aligned_alloc(64, bytes)) && (to->requests = malloc(requests * sizeof *to->requests)) &&
           (to->leaves = malloc((size_t)job->table.size * sizeof *to->leaves));
    if (have && job->near < job->table.size)
      memset(to->arrived, 0, bytes); /* so that a shortage shows here, not in a step */
  }
  return have ? HEED_OK : heed_error(HEED_FAILED, "out of memory for %zu MB of receive buffers", ABREAST * bytes >> 20);
}

/* With shared memory alone nothing of it is ever touched. */
size_t heed_world_buffer_bytes(int ranks, int ranks_on_node) {
  if (ranks <= ranks_on_node)
    return 0;
  const int64_t group = ranks & -ranks, others = ranks / group - 1, half = group > 1 ? HEED_BUCKET_FLOATS / 2 : 0,
                pieces = (HEED_BUCKET_FLOATS / ranks + HEED_CHUNK) * others;
  return ABREAST * (size_t)larger(half, pieces < GROUPS_FLOATS ? pieces : GROUPS_FLOATS) * sizeof(float);
}

heed_status heed_sums_create(heed_sums **result, const heed_job *job) {
  heed_sums *s = calloc(1, sizeof *s);
  heed_status status = s ? allocate(s, job) : heed_error(HEED_FAILED, "out of memory for the sums between ranks");
  if (status != HEED_OK)
    heed_sums_free(s);
  else
    *result = s;
  return status;
}

void heed_sums_free(heed_sums *s) {
  if (!s)
    return;
  for (int i = 0; i < ABREAST; i++) {
    free(s->landings[i].arrived);
    free(s->landings[i].requests);
    free(s->landings[i].leaves);
  }
  free(s->queue);
  free(s);
}

/* ---- the stages: each returns whether it came further ---- */

static int tag_of(const sum *t) {
  return TAG_FIRST + (int)(t->number % TAGS);
}

/* Ranks that share memory add up their part of all their blocks, along the tree over them. */
static bool sum_near(heed_job *job, landing *to, sum *t) {
  if (!heed_node_shares(job, t->whole.data)) {
    t->stage = HALVES;
    t->distance = 1;
    return true;
  }
  if (!heed_node_all_told(job, HEED_TURN_READY, t->number + 1))
    return false;
  const bool all = job->near == job->table.size;
  const int place = heed_layout_place(job, job->table.rank);
  const heed_run own =
      heed_layout_run(job, t->whole, t->bucket, all ? (heed_places){place, place + 1} : heed_layout_held(job, job->table.rank, job->near));
  for (int member = 0; member < job->near && own.count > 0; member++)
    to->leaves[member] = heed_node_peer(job, own.data, member);
  if (own.count > 0)
    heed_sum_leaves(own.data, to->leaves, job->near, own.count);
  t->stage = all ? DONE : HALVES;
  t->distance = job->near;
  return true;
}

static void post_halves(heed_job *job, landing *to, sum *t) {
  const int rank = job->table.rank, partner = rank ^ t->distance;
  const heed_places held = heed_layout_held(job, rank, t->distance);
  const int middle = (held.low + held.high) / 2;
  const heed_run lower = heed_layout_run(job, t->whole, t->bucket, (heed_places){held.low, middle}),
                 upper = heed_layout_run(job, t->whole, t->bucket, (heed_places){middle, held.high});
  const bool keeps_upper = rank % job->group & t->distance;
  const heed_run give = keeps_upper ? lower : upper;
  t->take = keeps_upper ? upper : lower;
  t->incoming = heed_int(pieces_of(t->take.count));
  t->sent = heed_int(pieces_of(give.count));
  t->piece = 0;
  for (int i = 0; i < t->incoming; i++) {
    const int64_t left = t->take.count - (int64_t)i * PIECE;
    MPI_Irecv(to->arrived + (int64_t)i * PIECE, heed_int(left < PIECE ? left : PIECE), MPI_FLOAT, partner, tag_of(t), job->ranks,
              &to->requests[i]);
  }
  for (int i = 0; i < t->sent; i++) {
    const int64_t left = give.count - (int64_t)i * PIECE;
    MPI_Isend(give.data + (int64_t)i * PIECE, heed_int(left < PIECE ? left : PIECE), MPI_FLOAT, partner, tag_of(t), job->ranks,
              &to->requests[t->incoming + i]);
  }
}

/* Halves exchanged at distance 1, 2, 4 … within the group: what arrives is added to the half that this rank keeps. */
static bool exchange_halves(heed_job *job, landing *to, sum *t) {
  if (t->distance >= job->group) {
    t->stage = job->groups > 1 ? GROUPS : DONE;
    t->piece = 0;
    return true;
  }
  if (!t->posted)
    post_halves(job, to, t);
  t->posted = true;
  int arrived = 1, sent = 0;
  const int64_t before = t->piece;
  while (t->piece < t->incoming) {
    MPI_Test(&to->requests[t->piece], &arrived, MPI_STATUS_IGNORE);
    if (!arrived)
      return t->piece > before;
    const int64_t at = t->piece * PIECE, left = t->take.count - at;
    heed_sum_into(t->take.data + at, to->arrived + at, left < PIECE ? left : PIECE);
    t->piece++;
  }
  MPI_Testall(t->sent, to->requests + t->incoming, &sent, MPI_STATUSES_IGNORE);
  if (!sent)
    return t->piece > before;
  t->posted = false;
  t->distance *= 2;
  return true;
}

/* Piece `piece` of a place of the bucket. */
static heed_run piece_of(const heed_job *job, const sum *t, int place, int64_t piece) {
  const heed_run run = heed_layout_run(job, t->whole, t->bucket, (heed_places){place, place + 1});
  const int64_t length = job->sums->group_piece, begin = piece * length;
  if (begin >= run.count)
    return (heed_run){run.data, 0};
  return (heed_run){run.data + begin, run.count - begin < length ? run.count - begin : length};
}

/* One piece of the exchange among the groups: each gives the others their parts of it and takes q − 1 contributions to its own. */
static void post_groups(heed_job *job, landing *to, sum *t, int low) {
  const int q = job->groups, group = job->table.rank / job->group, member = job->table.rank % job->group;
  int count = 0;
  float *arriving = to->arrived;
  t->take = piece_of(job, t, low + group, t->piece);
  to->leaves[group] = t->take.data;
  for (int step = 1; step < q; step++) { /* each starts with its neighbour, so that not all write to one */
    const int other = (group + step) % q;
    if (t->take.count > 0)
      MPI_Irecv(arriving, heed_int(t->take.count), MPI_FLOAT, other * job->group + member, tag_of(t), job->ranks, &to->requests[count++]);
    to->leaves[other] = arriving;
    arriving += t->take.count;
  }
  t->incoming = count;
  for (int step = 1; step < q; step++) {
    const int other = (group + q - step) % q;
    const heed_run give = piece_of(job, t, low + other, t->piece);
    if (give.count > 0)
      MPI_Isend(give.data, heed_int(give.count), MPI_FLOAT, other * job->group + member, tag_of(t), job->ranks, &to->requests[count++]);
  }
  t->sent = count - t->incoming;
}

/* The pieces that the groups exchange, one after the other. */
static bool exchange_groups(heed_job *job, landing *to, sum *t) {
  const int q = job->groups, low = heed_layout_held(job, job->table.rank, job->group).low;
  if (!t->posted) {
    int64_t longest = 0;
    for (int place = low; place < low + q; place++)
      longest = larger(longest, piece_of(job, t, place, t->piece).count);
    if (longest == 0) {
      t->stage = DONE;
      return true;
    }
    post_groups(job, to, t, low);
    t->posted = true;
  }
  int arrived;
  MPI_Testall(t->incoming + t->sent, to->requests, &arrived, MPI_STATUSES_IGNORE);
  if (!arrived)
    return false;
  heed_sum_leaves(t->take.data, to->leaves, q, t->take.count);
  t->posted = false;
  t->piece++;
  return true;
}

/* ---- the table's operations ---- */

/* Takes every sum under way as far as it comes.  Returns whether any came further. */
static bool go_on(heed_job *job) {
  static bool (*const stages[])(heed_job *, landing *, sum *) = {[NEAR] = sum_near, [HALVES] = exchange_halves, [GROUPS] = exchange_groups};
  heed_sums *s = job->sums;
  bool moved = false;
  for (int64_t i = s->ended; i < s->begun && i < s->ended + ABREAST; i++) {
    sum *t = &s->queue[i % s->capacity];
    while (t->stage != DONE && stages[t->stage](job, &s->landings[i % ABREAST], t))
      moved = true;
    if (t->stage == DONE && i == s->ended)
      s->ended++;
  }
  return moved;
}

static void sum_poll(heed_communication *table) {
  go_on(heed_job_of(table));
}

static void wait_a_little(heed_job *job) {
  if (go_on(job))
    heed_pulse_beat();
  else
    sched_yield(); /* ranks may share a processor */
}

static void sum_start(heed_communication *table, float *data, int64_t first, int64_t count) {
  heed_job *job = heed_job_of(table);
  heed_sums *s = job->sums;
  for (int64_t bucket = 0; bucket < job->buckets; bucket++) {
    int64_t begin, end;
    heed_layout_range(job, first, count, bucket, (heed_places){0, table->size}, &begin, &end);
    if (begin == end)
      continue;
    const bool before = heed_pulse_wait(true);
    while (s->begun == s->ended + s->capacity)
      wait_a_little(job);
    heed_pulse_wait(before);
    s->queue[s->begun++ % s->capacity] =
        (sum){.whole = {data + (begin - first), begin, end - begin}, .bucket = bucket, .number = job->begun++};
  }
  heed_node_tell(job, HEED_TURN_READY, job->begun);
}

static void sum_finish(heed_communication *table) {
  heed_job *job = heed_job_of(table);
  const bool before = heed_pulse_wait(true);
  while (job->sums->ended < job->sums->begun)
    wait_a_little(job);
  heed_pulse_wait(before);
  heed_node_tell(job, HEED_TURN_SUMMED, job->begun);
  heed_node_wait(job, HEED_TURN_SUMMED, job->begun); /* before anybody writes what others may be reading */
}

void heed_job_set_sums(heed_job *job) {
  job->table.sum_start = sum_start;
  job->table.sum_poll = sum_poll;
  job->table.sum_finish = sum_finish;
}
