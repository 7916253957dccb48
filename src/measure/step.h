/** The speed of a training step: forward, backward, the sum over ranks and the optimizer, held against this machine's ceiling. */
#ifndef HEED_MEASURE_STEP_H
#define HEED_MEASURE_STEP_H

#include "heed/communication.h"
#include "heed/config.h"
#include "kernels/kernels.h"
#include "measure/synthetic.h"

typedef struct heed_step_spec {
  const heed_config *config;
  const heed_kernels *kernels;
  heed_communication *communication;
  int64_t ranks_on_node;
  const char *data;     /**< token shard to read, as a training run does; NULL: rows made up, no file is opened */
  heed_lengths lengths; /**< of rows made up */
  int64_t warmup, steps;
} heed_step_spec;

typedef struct heed_step_speed {
  double tokens_per_second; /**< of all ranks: the mean tokens of a step over the median time of one */
  double step_ms_median;
  double flops_per_step; /**< flops.h, from the real lengths */
  double flops_per_second;
  double ceiling; /**< multiply-adds of all ranks in the configured precision (ceiling.h), the highest of those before, between and after */
  double waited_share;  /**< of the time: spent waiting for data */
  double exposed_share; /**< of the time: spent waiting for sums over the ranks and copying parameters, the mean of all ranks */
  int64_t peak_bytes;   /**< the largest resident memory of any rank */
  int64_t parameters;
} heed_step_speed;

/** Runs `warmup` steps and then `steps` that count.  Collective.
 *  Errors: as training's for ranks, memory and data, and as heed_synthetic_create's; HEED_FAILED when a step was skipped (a loss that is
 * not finite) or the steps were faster than the ceiling, which then was disturbed. */
heed_status heed_step_measure(heed_step_speed *result, const heed_step_spec *spec);

#endif
