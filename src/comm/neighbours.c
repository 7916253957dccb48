#include "comm/neighbours.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cast.h"
#include "base/clock.h"
#include "comm/job.h"

enum { TAG_LINK = 11, TAG_CLOCK = 12 };
enum { SMALL = 8, LARGE = 4 << 20 };
enum { PINGS = 20 };

/** Round trips of one size: `first` that do not count; then `most` in `seconds`, but `least` within PATIENCE, since on processors that are
 *  shared one trip tells little. */
typedef struct trips {
  int bytes, first, least, most;
  double seconds;
} trips;
static const trips small = {SMALL, 10, 20, 1000, 0.2}, large = {LARGE, 1, 6, 20, 0.4};
static const double PATIENCE = 3.0; /* seconds */

int heed_world_machine(heed_communication *world) {
  int lowest = world->rank;
  if (world->self)
    MPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_INT, MPI_MIN, heed_job_of(world)->node);
  return lowest;
}

/* The one that leads decides whether another trip follows, and says so in the first byte: no two clocks need agree on it.
 * Returns the shortest round trip, for the one that leads. */
static double shortest_trip(heed_job *job, int peer, bool leads, char *block, const trips *t) {
  double shortest = INFINITY;
  const double begun = heed_seconds();
  block[0] = 1;
  for (int i = 0; block[0]; i++) {
    if (!leads) {
      MPI_Recv(block, t->bytes, MPI_BYTE, peer, TAG_LINK, job->ranks, MPI_STATUS_IGNORE);
      MPI_Send(block, t->bytes, MPI_BYTE, peer, TAG_LINK, job->ranks);
      continue;
    }
    const int counted = i - t->first;
    block[0] = counted < 0 || (counted < t->most && heed_seconds() - begun < (counted < t->least ? PATIENCE : t->seconds));
    const double before = heed_seconds();
    MPI_Send(block, t->bytes, MPI_BYTE, peer, TAG_LINK, job->ranks);
    MPI_Recv(block, t->bytes, MPI_BYTE, peer, TAG_LINK, job->ranks, MPI_STATUS_IGNORE);
    const double trip = heed_seconds() - before;
    if (i >= t->first && trip < shortest)
      shortest = trip;
  }
  return shortest;
}

static void measure_pair(heed_job *job, int peer, bool leads, char *block, heed_link *link) {
  const double there_and_back = shortest_trip(job, peer, leads, block, &small), with_load = shortest_trip(job, peer, leads, block, &large);
  if (leads)
    *link = (heed_link){there_and_back / 2, LARGE / (with_load / 2)};
}

heed_status heed_world_measure_link(heed_communication *world, heed_link *link) {
  heed_job *job = heed_job_of(world);
  *link = (heed_link){0};
  if (world->size == 1)
    return HEED_OK;
  char *block = calloc(1, LARGE);
  const heed_status status = world->agree(world, block ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a message of 4 MiB"));
  for (int odd = 0; odd <= 1 && status == HEED_OK; odd++) {
    const bool leads = world->rank % 2 == odd;
    const int peer = leads ? world->rank + 1 : world->rank - 1;
    world->barrier(world);
    if (peer >= 0 && peer < world->size)
      measure_pair(job, peer, leads, block, link);
  }
  free(block);
  return status;
}

static double time_of_day(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Rank 0's side: of the shortest trip the answer was given half-way, within half of it. */
static void ask_for_time(MPI_Comm leaders, int leader) {
  heed_clock_offset best = {0, INFINITY};
  for (int i = 0; i < PINGS; i++) {
    double theirs;
    const double before = time_of_day();
    MPI_Send(NULL, 0, MPI_DOUBLE, leader, TAG_CLOCK, leaders);
    MPI_Recv(&theirs, 1, MPI_DOUBLE, leader, TAG_CLOCK, leaders, MPI_STATUS_IGNORE);
    const double half = (time_of_day() - before) / 2;
    if (half < best.uncertainty)
      best = (heed_clock_offset){theirs - before - half, half};
  }
  MPI_Send(&best, 2, MPI_DOUBLE, leader, TAG_CLOCK, leaders);
}

static void tell_time(MPI_Comm leaders, heed_clock_offset *clock) {
  for (int i = 0; i < PINGS; i++) {
    MPI_Recv(NULL, 0, MPI_DOUBLE, 0, TAG_CLOCK, leaders, MPI_STATUS_IGNORE);
    const double now = time_of_day();
    MPI_Send(&now, 1, MPI_DOUBLE, 0, TAG_CLOCK, leaders);
  }
  MPI_Recv(clock, 2, MPI_DOUBLE, 0, TAG_CLOCK, leaders, MPI_STATUS_IGNORE);
}

void heed_world_compare_clocks(heed_communication *world, heed_clock_offset *clock) {
  heed_job *job = heed_job_of(world);
  MPI_Comm leaders; /* the first rank of each machine, in the order of ranks */
  *clock = (heed_clock_offset){0};
  if (!job)
    return;
  MPI_Comm_split(job->ranks, job->node_rank == 0 ? 0 : MPI_UNDEFINED, world->rank, &leaders);
  if (leaders != MPI_COMM_NULL) {
    int count;
    MPI_Comm_size(leaders, &count);
    for (int leader = 1; world->rank == 0 && leader < count; leader++)
      ask_for_time(leaders, leader);
    if (world->rank != 0)
      tell_time(leaders, clock);
    MPI_Comm_free(&leaders);
  }
  MPI_Bcast(clock, 2, MPI_DOUBLE, 0, job->node);
}

void heed_world_gather(heed_communication *world, void *all, const void *mine, size_t bytes) {
  const int count = heed_int((int64_t)bytes);
  if (world->self)
    MPI_Gather(mine, count, MPI_BYTE, all, count, MPI_BYTE, 0, heed_job_of(world)->ranks);
  else
    memcpy(all, mine, bytes);
}

void heed_world_library(char *text, size_t bytes) {
  char whole[MPI_MAX_LIBRARY_VERSION_STRING];
  int length;
  MPI_Get_library_version(whole, &length);
  whole[strcspn(whole, "\n\r")] = 0;
  for (char *at = whole; (at = strchr(at, '\t'));)
    *at = ' ';
  snprintf(text, bytes, "%s", whole);
}
