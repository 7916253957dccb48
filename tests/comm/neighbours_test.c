/* What ranks tell of each other.  Clocks need machines: here each rank is made one of its own, with a clock that is ahead.
 * ranks: 1 2 3
 * wrap: clock_gettime */
#include "comm/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "comm/job.h"
#include "mpi/ranks.h"

static time_t ahead; /* seconds by which this rank's time of day is ahead */

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
  const int failed = __real_clock_gettime(id, now);
  if (!failed && id == CLOCK_REALTIME)
    now->tv_sec += ahead;
  return failed;
}

static void records_come_in_order(void) {
  struct {
    int rank;
    char text[13]; /* an odd size */
  } mine = {world->rank, "abc"}, *all = calloc((size_t)world->size, sizeof mine);
  CU_ASSERT_PTR_NOT_NULL_FATAL(all);
  mine.text[3] = (char)('0' + world->rank);
  heed_world_gather(world, world->rank == 0 ? all : NULL, &mine, sizeof mine);
  for (int r = 0; world->rank == 0 && r < world->size; r++) {
    CU_ASSERT_EQUAL(all[r].rank, r);
    CU_ASSERT(strncmp(all[r].text, "abc", 3) == 0 && all[r].text[3] == '0' + r && all[r].text[4] == 0);
  }
  free(all);
}

static void links_are_measured(void) {
  heed_link link;
  CU_ASSERT_EQUAL(heed_world_measure_link(world, &link), HEED_OK);
  if (world->rank + 1 == world->size) {
    CU_ASSERT(link.seconds == 0 && link.bytes_per_second == 0);
  } else { /* between 100 kB/s, where processors have other work, and 10 TB/s; 10 ns and a second */
    CU_ASSERT(link.bytes_per_second > 1e5 && link.bytes_per_second < 1e13);
    CU_ASSERT(link.seconds > 1e-8 && link.seconds < 1);
  }
}

static void one_machine_has_one_clock(void) {
  heed_clock_offset clock = {1, 1};
  ahead = 10 * world->rank;
  heed_world_compare_clocks(world, &clock);
  CU_ASSERT_EQUAL(heed_world_machine(world), 0);
  CU_ASSERT(clock.seconds == 0 && clock.uncertainty == 0);
}

static void each_machine_has_its_clock(void) {
  heed_clock_offset clock = {1, 1};
  heed_job *job = heed_job_of(world);
  if (!job)
    return;
  const heed_job before = *job;
  MPI_Comm_dup(MPI_COMM_SELF, &job->node);
  job->node_rank = 0;
  job->node_size = 1;
  ahead = 10 * world->rank - 5;
  heed_world_compare_clocks(world, &clock);
  CU_ASSERT_EQUAL(heed_world_machine(world), world->rank);
  MPI_Comm_free(&job->node);
  *job = before;
  CU_ASSERT(fabs(clock.seconds - 10.0 * world->rank) <= clock.uncertainty + 1e-5);
  CU_ASSERT(clock.uncertainty < 1);
  CU_ASSERT((clock.uncertainty > 0) == (world->rank > 0));
}

static void the_library_is_named(void) {
  char text[128] = "";
  heed_world_library(text, sizeof text);
  CU_ASSERT(strlen(text) > 4);
  CU_ASSERT_PTR_NULL(strpbrk(text, "\n\t"));
}

HEED_RANK_TESTS({"records come in order", records_come_in_order}, {"links are measured", links_are_measured},
                {"one machine has one clock", one_machine_has_one_clock}, {"each machine has its clock", each_machine_has_its_clock},
                {"the library is named", the_library_is_named})
