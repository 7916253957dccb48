/* How many threads a rank may run: its share of the processors of its machine. */
#include <errno.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/job.h"
#include "comm/placement.h"
#include "comm/world.h"

enum { MAX_PROCESSORS = 8192 };

typedef struct affinity {
  unsigned char may_run[MAX_PROCESSORS];
} affinity;

/* A set of the kernel's of as many. */
typedef union processor_mask {
  cpu_set_t set;
  unsigned long words[MAX_PROCESSORS / (8 * sizeof(unsigned long))];
} processor_mask;

static heed_status read_affinity(affinity *mine) {
  processor_mask mask;
  memset(&mask, 0, sizeof mask);
  if (sched_getaffinity(0, sizeof mask, &mask.set) != 0)
    return heed_error(HEED_FAILED, "the processors of this process cannot be read (sched_getaffinity: %s); set OMP_NUM_THREADS",
                      strerror(errno));
  for (int p = 0; p < MAX_PROCESSORS; p++)
    mine->may_run[p] = CPU_ISSET_S(p, sizeof mask, &mask.set) != 0;
  return HEED_OK;
}

/* cgroup v2: "quota period" in microseconds, or "max". */
double heed_world_processor_limit(void) {
  double quota = 0, period = 0;
  FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (!file)
    return 0;
  const int found = fscanf(file, "%lf %lf", &quota, &period);
  fclose(file);
  return found == 2 && period > 0 ? quota / period : 0;
}

heed_status heed_world_processors(heed_communication *world, int *processors) {
  const heed_job *job = world->self;
  affinity mine = {0};
  int sharers[MAX_PROCESSORS]; /* ranks of this machine that may run on each */
  *processors = 1;
  HEED_TRY(world->agree(world, read_affinity(&mine)));
  for (int p = 0; p < MAX_PROCESSORS; p++)
    sharers[p] = mine.may_run[p];
  if (job)
    MPI_Allreduce(MPI_IN_PLACE, sharers, MAX_PROCESSORS, MPI_INT, MPI_SUM, job->node);
  double share = 0;
  for (int p = 0; p < MAX_PROCESSORS; p++)
    if (mine.may_run[p])
      share += 1.0 / sharers[p];
  const double limit = heed_world_processor_limit() / heed_world_node(world).size;
  if (limit > 0 && limit < share)
    share = limit;
  *processors = share < 1 ? 1 : (int)(share + 1e-6); /* thirds add up to a little less than one */
  return HEED_OK;
}

heed_status heed_world_threads(heed_communication *world, int *threads) {
  const heed_status known = heed_world_processors(world, threads);
  const char *set = getenv("OMP_NUM_THREADS");
  if (set && set[0])
    *threads = omp_get_max_threads();
  else
    HEED_TRY(known);
  omp_set_dynamic(0);
  omp_set_num_threads(*threads);
  return HEED_OK;
}

void heed_placement_leave(void) {
  processor_mask mask;
  int own[MAX_PROCESSORS], found = 0;
  memset(&mask, 0, sizeof mask);
  for (int place = 0; place < omp_get_num_places(); place++) {
    const int count = omp_get_place_num_procs(place);
    if (count < 1 || count > MAX_PROCESSORS)
      continue;
    omp_get_place_proc_ids(place, own);
    for (int i = 0; i < count; i++)
      if (own[i] >= 0 && own[i] < MAX_PROCESSORS) {
        CPU_SET_S((size_t)own[i], sizeof mask, &mask.set);
        found++;
      }
  }
  if (found > 0)
    sched_setaffinity(0, sizeof mask, &mask.set);
}
