#include "comm/node.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/memory.h"
#include "base/pulse.h"
#include "comm/world.h"
#include "heed/log.h"

enum { LINE_BYTES = 64 };

/** Left free for what else lives there, MPI's own segments among it. */
enum { SPARE_BYTES = 16 << 20 };

/* A block of this rank and the same block of each near rank. */
struct heed_node_block {
  heed_node_block *next;
  MPI_Win window;
  float *own;
  int64_t count;
  float *peers[]; /* [near] */
};

/* ---- who is near ---- */

/* The most ranks that a switch of the environment lets be near: HEED_NEAR_RANKS=1 sends messages within a machine too. */
static int most_near(bool warns) {
  const char *set = getenv("HEED_NEAR_RANKS");
  char *end;
  const long number = set && set[0] ? strtol(set, &end, 10) : INT32_MAX;
  if (!set || !set[0] || (!*end && number >= 1 && number <= INT32_MAX))
    return (int)number;
  if (warns)
    heed_warn("HEED_NEAR_RANKS=%s is no number of ranks from 1 on: as many share memory as can", set);
  return INT32_MAX;
}

/* Whether every aligned run of `near` ranks is on one machine.  \param[in] machine_of  [P] the first rank of each rank's machine */
static bool are_together(const int *machine_of, int ranks, int near) {
  for (int rank = 0; rank < ranks; rank++)
    if (machine_of[rank] != machine_of[rank / near * near])
      return false;
  return true;
}

/* Ranks that follow each other should share a machine: near ones exchange the most. */
static void check_order(const heed_job *job, const int *machine_of) {
  int machines = 0, changes = 1;
  for (int rank = 0; rank < job->table.size; rank++) {
    machines += machine_of[rank] == rank;
    changes += rank > 0 && machine_of[rank] != machine_of[rank - 1];
  }
  if (changes > machines)
    heed_warn("ranks are dealt out to the machines in turn, so that neighbours, which exchange the most, are apart: launch with "
              "`--map-by slot`, or `--rank-by slot`");
}

int heed_world_near(int ranks, int ranks_on_node) {
  int near = 1;
  if (ranks <= ranks_on_node)
    return ranks;
  while (ranks % (2 * near) == 0 && ranks_on_node % (2 * near) == 0)
    near *= 2;
  return near;
}

static heed_status find_near(heed_job *job) {
  const bool is_world = job == job->world;
  const int ranks = job->table.size, most = (int)-job->table.maximum(&job->table, -most_near(is_world));
  int *machine_of = malloc((size_t)ranks * sizeof *machine_of), mine = job->table.rank;
  heed_status status = machine_of ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a list of %d ranks", ranks);
  status = job->table.agree(&job->table, status);
  if (status != HEED_OK) {
    free(machine_of);
    return status;
  }
  MPI_Bcast(&mine, 1, MPI_INT, 0, job->node);
  MPI_Allgather(&mine, 1, MPI_INT, machine_of, 1, MPI_INT, job->ranks);
  if (is_world)
    check_order(job, machine_of);
  job->near = 1;
  while (2 * job->near <= job->group && 2 * job->near <= most && are_together(machine_of, ranks, 2 * job->near))
    job->near *= 2;
  if (ranks <= most && are_together(machine_of, ranks, ranks))
    job->near = ranks;
  free(machine_of);
  return HEED_OK;
}

/* ---- what they share ---- */

static float *align(float *data) {
  return (float *)(((uintptr_t)data + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);
}

/* Once: a job takes several blocks, and each of its groups does. */
static void warn_of_room(size_t bytes) {
  static bool warned = false;
  if (!warned)
    heed_warn("/dev/shm has no room for %zu MB: the ranks of a machine send each other messages instead of sharing memory", bytes >> 20);
  warned = true;
}

/* Bytes that may be taken of this machine's shared memory. */
static size_t free_bytes(void) {
  struct statvfs files;
  const size_t all = statvfs("/dev/shm", &files) == 0 ? (size_t)files.f_bavail * files.f_frsize : 0;
  return all > SPARE_BYTES ? all - SPARE_BYTES : 0;
}

/* The least that any of them saw: the last to look saw what all have taken. */
size_t heed_node_room(const heed_job *world) {
  uint64_t room = free_bytes() / (size_t)world->node_size;
  MPI_Allreduce(MPI_IN_PLACE, &room, 1, MPI_UINT64_T, MPI_MIN, world->node);
  return room;
}

/* Whether each machine has room for a block of each of its ranks.  Collective. */
static bool has_room(heed_job *job, size_t bytes) {
  const size_t needed = bytes * (size_t)job->node_size;
  const bool room = free_bytes() > needed && bytes <= job->room;
  if (job->table.maximum(&job->table, !room) == 0)
    return true;
  warn_of_room(bytes * (size_t)job->world->node_size + SPARE_BYTES);
  return false;
}

static size_t bytes_of(int64_t count) {
  return (size_t)count * sizeof(float) + LINE_BYTES;
}

/* Collective; its memory is untouched. */
static heed_status share(heed_job *job, heed_node_block **result, int64_t count) {
  heed_node_block *block = calloc(1, sizeof *block + (size_t)job->near * sizeof *block->peers);
  heed_status status = job->table.agree(&job->table, block ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a block's description"));
  if (status != HEED_OK) {
    free(block);
    return status;
  }
  MPI_Info apart;
  MPI_Info_create(&apart);
  MPI_Info_set(apart, "alloc_shared_noncontig", "true"); /* each rank's part on pages of its own */
  float *base;
  MPI_Win_allocate_shared((MPI_Aint)bytes_of(count), sizeof *base, apart, job->near_ranks, &base, &block->window);
  MPI_Info_free(&apart);
  for (int member = 0; member < job->near; member++) {
    MPI_Aint size;
    int unit;
    MPI_Win_shared_query(block->window, member, &size, &unit, &base);
    block->peers[member] = align(base);
  }
  MPI_Win_lock_all(MPI_MODE_NOCHECK, block->window); /* for as long as it lives: who reads what when is told by turns */
  block->own = block->peers[job->table.rank - job->near_first];
  block->count = count;
  block->next = job->blocks;
  job->room -= bytes_of(count);
  job->blocks = *result = block;
  return HEED_OK;
}

/* The link that leads to the block where `data` lies, or the last one of the list. */
static heed_node_block **find(heed_node_block **link, const void *data) {
  while (*link && ((const float *)data < (*link)->own || (const float *)data >= (*link)->own + (*link)->count))
    link = &(*link)->next;
  return link;
}

static void give_back(heed_job *job, heed_node_block **link) {
  heed_node_block *block = *link;
  *link = block->next;
  MPI_Win_unlock_all(block->window);
  MPI_Win_free(&block->window);
  job->room += bytes_of(block->count);
  free(block);
}

/* What there was room for a moment ago another job may have taken since.  *block stays NULL on all ranks then. */
static heed_status share_room(heed_job *job, float **block, int64_t count) {
  heed_node_block *shared;
  HEED_TRY(share(job, &shared, count));
  const bool taken = heed_memory_take(shared->own, count);
  if (job->table.maximum(&job->table, !taken) == 0)
    *block = shared->own;
  else {
    give_back(job, find(&job->blocks, shared->own));
    warn_of_room(bytes_of(count) * (size_t)job->world->node_size);
  }
  return HEED_OK;
}

static heed_status allocate(heed_communication *table, float **block, int64_t count) {
  heed_job *job = heed_job_of(table);
  *block = NULL;
  if (job->near > 1 && has_room(job, bytes_of(count)))
    HEED_TRY(share_room(job, block, count));
  if (!*block) { /* taken, shared pages are zeros already */
    *block = heed_memory_block(count);
    HEED_TRY(
        table->agree(table, *block ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a block of %lld MB", (long long)(count >> 18))));
    heed_memory_zero(*block, count);
  }
  return HEED_OK;
}

static void release(heed_communication *table, float *block) {
  heed_job *job = heed_job_of(table);
  heed_node_block **link = find(&job->blocks, block);
  if (block && *link)
    give_back(job, link);
  else
    free(block);
}

static heed_status open_near(heed_job *job) {
  HEED_TRY(find_near(job));
  job->near_first = job->table.rank / job->near * job->near;
  if (job->near == 1)
    return HEED_OK;
  MPI_Comm_split(job->ranks, job->near_first, job->table.rank, &job->near_ranks);
  const int64_t floats = HEED_TURNS * LINE_BYTES / (int64_t)sizeof(float);
  if (!has_room(job, bytes_of(floats))) {
    job->near = 1;
    job->near_first = job->table.rank;
    return HEED_OK;
  }
  HEED_TRY(share(job, &job->turns, floats));
  memset(job->turns->own, 0, (size_t)floats * sizeof(float));
  MPI_Barrier(job->near_ranks);
  return HEED_OK;
}

heed_status heed_node_open(heed_job *job) {
  const heed_status status = open_near(job);
  job->table.near = job->near;
  return status;
}

void heed_node_close(heed_job *job) {
  while (job->blocks)
    give_back(job, &job->blocks);
  job->turns = NULL;
  if (job->near_ranks != MPI_COMM_NULL)
    MPI_Comm_free(&job->near_ranks);
}

bool heed_node_shares(heed_job *job, const void *data) {
  return job->near > 1 && *find(&job->blocks, data);
}

const void *heed_node_peer(heed_job *job, const void *data, int member) {
  const heed_node_block *block = *find(&job->blocks, data);
  return (const char *)block->peers[member] + ((const char *)data - (const char *)block->own);
}

/* ---- waiting ---- */

static _Atomic int64_t *turn_of(const heed_job *job, heed_turn turn, int member) {
  return (_Atomic int64_t *)((char *)job->turns->peers[member] + turn * LINE_BYTES);
}

void heed_node_tell(heed_job *job, heed_turn turn, int64_t number) {
  if (job->turns)
    atomic_store_explicit(turn_of(job, turn, job->table.rank - job->near_first), number, memory_order_release);
}

bool heed_node_all_told(const heed_job *job, heed_turn turn, int64_t number) {
  if (job->turns)
    for (int member = 0; member < job->near; member++)
      if (atomic_load_explicit(turn_of(job, turn, member), memory_order_acquire) < number)
        return false;
  return true;
}

void heed_node_wait(heed_job *job, heed_turn turn, int64_t number) {
  int arrived;
  const bool before = heed_pulse_wait(true);
  while (!heed_node_all_told(job, turn, number)) {
    MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, job->ranks, &arrived, MPI_STATUS_IGNORE); /* what was sent may still need a push */
    sched_yield();
  }
  heed_pulse_wait(before);
}

void heed_job_set_node(heed_job *job) {
  job->near = job->table.near = 1;
  job->near_first = job->table.rank;
  job->near_ranks = MPI_COMM_NULL;
  job->table.allocate = allocate;
  job->table.release = release;
}
