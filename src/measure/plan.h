/** What a training run will take, before it is launched: worked out by the code that training itself plans with.  No data is opened. */
#ifndef HEED_MEASURE_PLAN_H
#define HEED_MEASURE_PLAN_H

#include <stddef.h>

#include "heed/config.h"
#include "kernels/kernels.h"
#include "train/step.h"

typedef struct heed_run_plan_spec {
  const heed_config *config;
  const heed_kernels *kernels;
  int ranks, ranks_on_node; /**< of the job; of them that share a machine's memory */
  int near;                 /**< data ranks that read each other's blocks (comm/world.h) */
  size_t communication;     /**< bytes that exchanging takes of a rank: buffers, and MPI itself (comm/world.h) */
} heed_run_plan_spec;

/** Memory is what a step of full rows touches: planned buffers that rows do not fill stay out of it. */
typedef struct heed_run_plan {
  int64_t parameters;             /**< of the model, tied ones once */
  int64_t part;                   /**< of them, those of a rank: all, or its part (parallel.tensor), the largest */
  int64_t gradients;              /**< floats that are summed over data ranks: of the part, tied ones as often as they are used */
  int64_t last_gradients;         /**< of these, those that backward ends with: of the embeddings */
  int64_t slices, slices_at_once; /**< of a rank */
  heed_stepper_memory memory;     /**< bytes of a rank, as what follows */
  size_t batches;                 /**< read ahead */
  size_t snapshot;                /**< of rank 0: the copy of the state that it writes while training goes on */
  size_t communication;
  size_t program;          /**< with libraries, as they are in memory now, what they will work on, and what each thread has for itself */
  size_t rank_bytes;       /**< all of these: the peak of rank 0 */
  size_t node_bytes;       /**< of all ranks of a machine */
  size_t available_bytes;  /**< on this machine, now; SIZE_MAX: unknown */
  size_t checkpoint_bytes; /**< weights and moments; texts and tables come to it: some hundred KiB */
} heed_run_plan;

/** Plans a run for the threads that OpenMP would use now.  Rank-local.
 *  Errors: as training's for ranks and configuration; HEED_INVALID for more memory than machines have. */
heed_status heed_run_plan_make(heed_run_plan *plan, const heed_run_plan_spec *spec);

#endif
