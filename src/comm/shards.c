/* The flat block in shards, and the sum along the fixed tree.
 *
 * With P = q·2ᵏ ranks, rank = group · 2ᵏ + member.  A sum goes up the tree of its group first: at distance 1, 2, 4 … two ranks that
 * hold the two children of a node each give away one half of what they still hold and add the half they keep.  After k steps a
 * member holds 1/2ᵏ of the sum over its group; its counterparts in the other groups hold the same part of theirs.  They cut it in q
 * pieces, each takes one and adds the q contributions along the tree over q leaves.
 *
 * So the first bit of `member` chooses the half, the second the quarter …: the shards of the flat block, in order, belong to the
 * members in bit-reversed order, and within each 1/2ᵏ to the groups in their order.  Only this file knows. */
#include <stdlib.h>
#include <string.h>

#include "base/cast.h"
#include "comm/exchange.h"
#include "comm/job.h"
#include "comm/sum.h"
#include "comm/world.h"

enum { DIRECT_FLOATS = 4 << 20, TAG_DIRECT = 3 };

/* The bits of `value` < `power` (a power of two) in reverse. */
static int reverse_bits(int value, int power) {
  int reversed = 0;
  for (int bit = 1; bit < power; bit *= 2)
    reversed = 2 * reversed + ((value & bit) != 0);
  return reversed;
}

static int place_of(const heed_job *job, int rank) {
  return reverse_bits(rank % job->group, job->group) * job->groups + rank / job->group;
}

static int owner_of(const heed_job *job, int place) {
  return place % job->groups * job->group + reverse_bits(place / job->groups, job->group);
}

/* A block of floats in memory: elements [first, first + count) of the flat block, from `data` on. */
typedef struct part {
  float *data;
  int64_t first, count;
} part;

/* Clips [*begin, *end) to the part; *end = *begin where they do not meet. */
static void clip(part whole, int64_t *begin, int64_t *end) {
  const int64_t last = whole.first + whole.count;
  *begin = *begin < whole.first ? whole.first : *begin < last ? *begin : last;
  *end = *end < *begin ? *begin : *end < last ? *end : last;
}

/* What of the places [low, high) lies in the part. */
static heed_run run_of(const heed_job *job, part whole, int low, int high) {
  int64_t begin = job->edges[low], end = job->edges[high];
  clip(whole, &begin, &end);
  return (heed_run){whole.data + (begin - whole.first), end - begin};
}

void heed_job_free_shards(heed_job *job) {
  free(job->edges);
  free(job->receive);
  free(job->requests);
  free(job->leaves);
  job->edges = NULL;
  job->receive = NULL;
  job->requests = NULL;
  job->leaves = NULL;
}

/* Each edge is the cut nearest to its even share: edges[s] ≈ s · total / P. */
static void place_edges(heed_job *job, const int64_t *cuts, int64_t count) {
  const int ranks = job->table.size;
  const int64_t total = cuts[count - 1];
  int64_t cut = 0;
  for (int s = 0; s < ranks; s++) {
    const int64_t target = total / ranks * s + total % ranks * s / ranks;
    while (cut + 1 < count && cuts[cut + 1] - target < target - cuts[cut])
      cut++;
    job->edges[s] = s == 0 ? 0 : cuts[cut];
  }
  job->edges[ranks] = total;
}

/* Floats of a message among `groups`. */
static int64_t direct_piece(int64_t groups) {
  const int64_t others = groups - 1;
  return others > 0 && DIRECT_FLOATS / others < HEED_PIECE ? DIRECT_FLOATS / others : HEED_PIECE;
}

static int64_t receive_floats(int64_t groups) {
  const int64_t floats = (int64_t)HEED_PIECE * HEED_PIECES_AHEAD, direct = (groups - 1) * direct_piece(groups);
  return direct > floats ? direct : floats;
}

size_t heed_world_buffer_bytes(int ranks) {
  return ranks > 1 ? (size_t)receive_floats(ranks / (ranks & -ranks)) * sizeof(float) : 0;
}

static heed_status allocate(heed_job *job) {
  const int64_t others = job->groups - 1, floats = receive_floats(job->groups);
  heed_job_free_shards(job);
  job->direct_piece = direct_piece(job->groups);
  job->edges = malloc((size_t)(job->table.size + 1) * sizeof *job->edges);
  job->receive = aligned_alloc(64, (size_t)(floats + 15) / 16 * 64);
  job->requests = malloc((size_t)(2 * others + 1) * sizeof *job->requests);
  job->leaves = malloc((size_t)job->groups * sizeof *job->leaves);
  if (!job->edges || !job->receive || !job->requests || !job->leaves)
    return heed_error(HEED_FAILED, "out of memory for %lld MB of receive buffers", (long long)(floats * 4 >> 20));
  memset(job->receive, 0, (size_t)floats * sizeof *job->receive); /* so that a shortage shows here, not in a step */
  return HEED_OK;
}

static heed_status shard(heed_communication *table, const int64_t *cuts, int64_t count) {
  heed_job *job = heed_job_of(table);
  HEED_TRY(table->agree(table, allocate(job)));
  place_edges(job, cuts, count);
  const int place = place_of(job, table->rank);
  table->shard_first = job->edges[place];
  table->shard_end = job->edges[place + 1];
  return HEED_OK;
}

/* Piece `piece` of the run. */
static heed_run piece_of(heed_run run, int64_t piece, int64_t length) {
  const int64_t begin = piece * length;
  if (begin >= run.count)
    return (heed_run){run.data, 0};
  return (heed_run){run.data + begin, run.count - begin < length ? run.count - begin : length};
}

/* One piece of the exchange among the groups: each gives the others their parts of it, takes q − 1 contributions to its own and adds
 * all q along the tree.  \param low  first place of the q places that the counterparts share. */
static void sum_piece(heed_job *job, part whole, int low, int64_t piece) {
  const int q = job->groups, group = job->table.rank / job->group, member = job->table.rank % job->group;
  const heed_run own = piece_of(run_of(job, whole, low + group, low + group + 1), piece, job->direct_piece);
  int count = 0;
  float *arriving = job->receive;
  job->leaves[group] = own.data;
  for (int step = 1; step < q; step++) { /* each starts with its neighbour, so that not all write to one */
    const int other = (group + step) % q;
    if (own.count > 0)
      MPI_Irecv(arriving, heed_int(own.count), MPI_FLOAT, other * job->group + member, TAG_DIRECT, job->ranks, &job->requests[count++]);
    job->leaves[other] = arriving;
    arriving += own.count;
  }
  for (int step = 1; step < q; step++) {
    const int other = (group + q - step) % q;
    const heed_run give = piece_of(run_of(job, whole, low + other, low + other + 1), piece, job->direct_piece);
    if (give.count > 0)
      MPI_Isend(give.data, heed_int(give.count), MPI_FLOAT, other * job->group + member, TAG_DIRECT, job->ranks, &job->requests[count++]);
  }
  MPI_Waitall(count, job->requests, MPI_STATUSES_IGNORE);
  heed_sum_leaves(own.data, job->leaves, q, own.count);
}

static void reduce_scatter(heed_communication *table, float *data, int64_t first, int64_t count) {
  heed_job *job = heed_job_of(table);
  const part whole = {data, first, count};
  int low = 0, high = table->size;
  for (int distance = 1; distance < job->group; distance *= 2) {
    const int middle = (low + high) / 2;
    const heed_run lower = run_of(job, whole, low, middle), upper = run_of(job, whole, middle, high);
    if (table->rank % job->group & distance) {
      heed_exchange_add(job, table->rank ^ distance, lower, upper);
      low = middle;
    } else {
      heed_exchange_add(job, table->rank ^ distance, upper, lower);
      high = middle;
    }
  }
  int64_t longest = 0;
  for (int place = low; job->groups > 1 && place < high; place++) {
    const int64_t length = run_of(job, whole, place, place + 1).count;
    longest = length > longest ? length : longest;
  }
  for (int64_t piece = 0; piece * job->direct_piece < longest; piece++)
    sum_piece(job, whole, low, piece);
}

/* The way of reduce_scatter back: among the counterparts of the groups first, then at distance … 4, 2, 1, doubling what is held. */
static void allgather_shards(heed_communication *table, float *data) {
  heed_job *job = heed_job_of(table);
  const part whole = {data, 0, job->edges[table->size]};
  const int q = job->groups, group = table->rank / job->group, member = table->rank % job->group;
  int low = reverse_bits(member, job->group) * q, held = q;
  for (int step = 1; step < q; step++) {
    const int to = (group + step) % q, from = (group + q - step) % q;
    heed_exchange_copy(job, to * job->group + member, run_of(job, whole, low + group, low + group + 1), from * job->group + member,
                       run_of(job, whole, low + from, low + from + 1));
  }
  for (int distance = job->group / 2; distance > 0; distance /= 2) {
    const int partner = table->rank ^ distance;
    const int other = member & distance ? low - held : low + held;
    heed_exchange_copy(job, partner, run_of(job, whole, low, low + held), partner, run_of(job, whole, other, other + held));
    low = low < other ? low : other;
    held *= 2;
  }
}

static void gather_range(heed_communication *table, float *root, const float *own, int64_t first, int64_t count) {
  heed_job *job = heed_job_of(table);
  for (int place = 0; place < table->size; place++) {
    const int owner = owner_of(job, place);
    int64_t begin = job->edges[place], end = job->edges[place + 1];
    clip((part){NULL, first, count}, &begin, &end);
    if (begin == end || (table->rank != 0 && table->rank != owner))
      continue;
    const float *from = table->rank == owner ? own + (begin - table->shard_first) : NULL;
    if (owner == 0)
      memcpy(root + (begin - first), from, (size_t)(end - begin) * sizeof *root);
    else if (table->rank == owner)
      heed_exchange_send(job, 0, (heed_run){(float *)from, end - begin});
    else
      heed_exchange_receive(job, owner, (heed_run){root + (begin - first), end - begin});
  }
}

void heed_job_set_shards(heed_job *job) {
  job->table.shard = shard;
  job->table.reduce_scatter = reduce_scatter;
  job->table.allgather_shards = allgather_shards;
  job->table.gather_range = gather_range;
}
