/* A rank's own facts: its program, and the machine that it runs on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/blas.h"
#include "base/hash.h"
#include "base/memory.h"
#include "kernels/choose.h"
#include "measure/doctor.h"
#include "measure/plan.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

static void look_at_program(heed_doctor_rank *r) {
  const heed_kernels *best = heed_kernels_best(), *chosen = heed_kernels_choose(NULL);
  const char *pin = getenv("HEED_ISA");
  snprintf(r->version, sizeof r->version, "%s", HEED_VERSION);
  snprintf(r->compiler, sizeof r->compiler, "%s", COMPILER);
  snprintf(r->build_type, sizeof r->build_type, "%s", HEED_BUILD_TYPE);
  if (heed_hash_file("/proc/self/exe", &r->build) != HEED_OK)
    r->build = 0;
  snprintf(r->level, sizeof r->level, "%s", best ? best->isa : "");
  snprintf(r->pinned, sizeof r->pinned, "%s", pin ? pin : "");
  snprintf(r->runs, sizeof r->runs, "%s", chosen ? chosen->isa : "");
  snprintf(r->blas_core, sizeof r->blas_core, "%s", heed_blas_core());
  snprintf(r->blas_config, sizeof r->blas_config, "%s", heed_blas_config());
}

static void look_at_memory(heed_doctor_rank *r) {
  struct statvfs room;
  r->memory_free = heed_memory_of_machine();
  r->memory_limit = heed_memory_limit();
  if (statvfs("/dev/shm", &room) == 0) {
    r->shared_bytes = (uint64_t)room.f_blocks * room.f_frsize;
    r->shared_free = (uint64_t)room.f_bavail * room.f_frsize;
  }
}

heed_status heed_doctor_look(heed_doctor_rank *rank) {
  if (gethostname(rank->host, sizeof rank->host - 1) != 0)
    strcpy(rank->host, "unknown");
  if (getloadavg(&rank->load, 1) != 1)
    rank->load = 0;
  HEED_TRY(heed_topology_read(&rank->topology));
  look_at_program(rank);
  look_at_memory(rank);
  return HEED_OK;
}

void heed_doctor_plan(heed_doctor_rank *rank, const heed_config *config, int ranks, int ranks_on_node, int near, size_t communication,
                      uint64_t *checkpoint) {
  heed_run_plan plan;
  heed_run_plan_spec spec = {.config = config,
                             .kernels = heed_kernels_choose(NULL),
                             .ranks = ranks,
                             .ranks_on_node = ranks_on_node,
                             .near = near,
                             .communication = communication};
  *checkpoint = 0;
  if (!spec.kernels) /* HEED_ISA names none: a fact of its own */
    return;
  if (heed_run_plan_make(&plan, &spec) != HEED_OK) {
    snprintf(rank->plan_error, sizeof rank->plan_error, "%s", heed_error_text());
    return;
  }
  rank->plan_bytes = plan.rank_bytes - plan.memory.neighbours - (rank->rank > 0 ? plan.snapshot : 0);
  rank->plan_shared = near > 1 ? plan.memory.common + (uint64_t)plan.gradients * sizeof(float) : 0;
  *checkpoint = plan.checkpoint_bytes;
}
