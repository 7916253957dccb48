/* Opens and closes the world: decides between MPI and a process by itself, and names launchers that do not fit. */
#include "comm/world.h"

#include <stdlib.h>

#include "comm/add.h"
#include "comm/groups.h"
#include "comm/job.h"
#include "comm/launcher.h"
#include "comm/node.h"
#include "heed/log.h"

static heed_job job; /* one a process, as MPI itself is */
static bool job_open = false;

/* The value of the first of these variables that is set, 0 when none is. */
static int64_t environment_number(const char *const *names) {
  for (; *names; names++) {
    const char *value = getenv(*names);
    if (value)
      return strtoll(value, NULL, 10);
  }
  return 0;
}

bool heed_world_is_launched(void) {
  return getenv("OMPI_COMM_WORLD_SIZE") || getenv("PMIX_RANK") || getenv("PMI_RANK");
}

bool heed_world_is_open(void) {
  return job_open;
}

/* mpirun's own variable first: what srun sets may count mpirun's daemons. */
static int64_t started_processes(void) {
  static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", NULL};
  return environment_number(sizes);
}

int64_t heed_world_launched(void) {
  return heed_world_is_launched() ? started_processes() : 0;
}

static heed_status start_mpi(void) {
  int started = 0, ended = 0, provided;
  MPI_Initialized(&started);
  MPI_Finalized(&ended);
  if (ended)
    return heed_error(HEED_FAILED, "the world was closed before: MPI cannot be started twice in a process");
  if (started) {
    MPI_Query_thread(&provided);
  } else {
    MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    job.began_mpi = true;
  }
  if (provided < MPI_THREAD_FUNNELED)
    return heed_error(HEED_FAILED, "this MPI does not allow threads beside its own (MPI_THREAD_FUNNELED); use one built with threads");
  return HEED_OK;
}

heed_status heed_world_open(heed_communication **world) {
  *world = heed_alone();
  if (job_open) {
    *world = &job.table;
    return HEED_OK;
  }
  int started = 0;
  MPI_Initialized(&started);
  if (!started && !heed_world_is_launched()) {
    if (started_processes() > 1)
      return heed_error(HEED_INVALID,
                        "srun started %lld processes that cannot find each other; use `srun --mpi=pmix` (`srun --mpi=list` shows "
                        "what there is), or mpirun in the batch script",
                        (long long)started_processes());
    return HEED_OK;
  }
  if (heed_world_is_launched())
    heed_launcher_watch();
  heed_status status = start_mpi();
  if (status != HEED_OK) {
    heed_launcher_leave();
    return status;
  }
  MPI_Comm ranks;
  MPI_Comm_dup(MPI_COMM_WORLD, &ranks);
  heed_job_fill(&job, ranks, &job);
  heed_groups_close(&job);
  job_open = true;
  *world = &job.table;
  heed_log_set_rank(job.table.rank, job.table.size);
  if (job.began_mpi && started_processes() > job.table.size)
    return heed_error(HEED_INVALID,
                      "the launcher started %lld processes but MPI sees %d; launch with the mpirun of the MPI that heed was built with "
                      "(under Slurm: `srun --mpi=pmix`)",
                      (long long)started_processes(), job.table.size);
  HEED_TRY(heed_node_open(&job));
  return heed_add_open(&job, false);
}

void heed_world_close(void) {
  if (!job_open)
    return;
  const bool began_mpi = job.began_mpi;
  heed_groups_close(&job);
  heed_job_close(&job);
  job_open = false; /* the log keeps its rank: what is said after this is said once */
  if (began_mpi)
    MPI_Finalize();
  heed_launcher_leave();
}

heed_node heed_world_node(const heed_communication *world) {
  const heed_job *own = world->self;
  return own ? (heed_node){own->node_rank, own->node_size} : (heed_node){0, 1};
}

/* 11 MiB of libraries and tables, and 0.15 MiB for each neighbour: a segment that all of the machine share, of which each sees the parts
 * of those it exchanges with. */
size_t heed_world_mpi_bytes(int ranks, int ranks_on_node) {
  enum { MPI_BYTES = 11 << 20, NEIGHBOUR_BYTES = 150 << 10 };
  return ranks > 1 ? MPI_BYTES + (size_t)(ranks_on_node - 1) * NEIGHBOUR_BYTES : 0;
}
