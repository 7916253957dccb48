/** The optimizer: sums gradients over ranks, measures them, and updates each rank's shard (ZeRO stage 1, Rajbhandari et al. 2020). */
#ifndef HEED_TRAIN_OPTIMIZER_H
#define HEED_TRAIN_OPTIMIZER_H

#include <stdbool.h>

#include "heed/communication.h"
#include "heed/config.h"
#include "heed/parameters.h"
#include "kernels/kernels.h"

typedef struct heed_optimizer heed_optimizer;

/** What an update did. */
typedef struct heed_update {
  double gradient_norm; /**< of the mean gradient, before clipping */
  bool skipped;         /**< the gradient was not finite: nothing was changed */
} heed_update;

/** Divides the parameters into shards (communication->shard) and allocates this rank's moments, zeroed.  Collective.
 *  `table`, `config` and `kernels` are borrowed. */
heed_status heed_optimizer_create(heed_optimizer **optimizer, const heed_parameter_table *table, const heed_optimizer_config *config,
                                  const heed_kernels *kernels, heed_communication *communication);
void heed_optimizer_free(heed_optimizer *optimizer);

/** Bytes that a rank of so many allocates: its shard of the moments, and of LAMB's directions. */
size_t heed_optimizer_bytes(const heed_parameter_table *table, const heed_optimizer_config *config, int ranks);

/** This rank's shard of moment 0 (m, of gradients) or 1 (v, of their squares). */
float *heed_optimizer_moment(heed_optimizer *optimizer, int moment);

/** One update with gradient / divisor, clipped.  Collective; afterwards all ranks hold the same parameters.
 *  \param[in,out] parameters  [total]
 *  \param[in,out] gradients   [gradient_total], this rank's part of the sum; used up
 *  \param[in] t  number of this update, from 1 (Adam's t) */
heed_update heed_optimizer_update(heed_optimizer *optimizer, float *parameters, float *gradients, double divisor, double learning_rate,
                                  int64_t t);

#endif
