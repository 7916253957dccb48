/** The optimizer: sums gradients over ranks, measures them, and updates each rank's shard (ZeRO stage 1, Rajbhandari et al. 2020).  With
 *  tensor parallelism each part of the model is divided into shards by itself; norms are of whole tensors. */
#ifndef HEED_TRAIN_OPTIMIZER_H
#define HEED_TRAIN_OPTIMIZER_H

#include <stdbool.h>

#include "heed/communication.h"
#include "heed/config.h"
#include "heed/parameters.h"
#include "kernels/kernels.h"
#include "train/masters.h"

typedef struct heed_optimizer heed_optimizer;

/** What an update did. */
typedef struct heed_update {
  double gradient_norm;  /**< of the mean gradient, before clipping */
  bool skipped;          /**< the gradient was not finite: nothing was changed */
  double gather_seconds; /**< of it: copying the shards to all ranks */
} heed_update;

/** Divides the parameters into shards (communication->shard) and allocates this rank's moments, zeroed.  Collective.
 *  `table`, `config` and `kernels` are borrowed. */
heed_status heed_optimizer_create(heed_optimizer **optimizer, const heed_parameter_table *table, const heed_optimizer_config *config,
                                  const heed_kernels *kernels, heed_communication *communication);
void heed_optimizer_free(heed_optimizer *optimizer);

/** Bytes that a rank of so many allocates: its shard of the moments, and of LAMB's directions. */
size_t heed_optimizer_bytes(const heed_parameter_table *table, const heed_optimizer_config *config, int ranks);

/** How the parameters are divided. */
const heed_chunks *heed_optimizer_chunks(const heed_optimizer *optimizer);

/** This rank's shard of moment 0 (m, of gradients) or 1 (v, of their squares). */
float *heed_optimizer_moment(heed_optimizer *optimizer, int moment);

/** Begins anew: moments are zeros. */
void heed_optimizer_forget(heed_optimizer *optimizer);

/** The gradients of elements [first, total) are final, and so are the second ones of tied tensors: begins to sum over the ranks what is
 * whole of them and not begun yet, and goes on with what is.  `first` falls from call to call.  Collective, without waiting. */
void heed_optimizer_sum(heed_optimizer *optimizer, float *gradients, int64_t first);

/** All gradients are final: begins the sums that are left, and waits for all.  Collective. */
void heed_optimizer_sum_finish(heed_optimizer *optimizer, float *gradients);

/** One update with gradient / divisor, clipped, after heed_optimizer_sum_finish.  Collective; afterwards all ranks have what forward reads.
 *  \param[in,out] masters    of these chunks
 *  \param[in,out] gradients  [gradient_total], of the communication's `allocate` for speed; used up
 *  \param[in] t  number of this update, from 1 (Adam's t) */
heed_update heed_optimizer_update(heed_optimizer *optimizer, const heed_masters *masters, float *gradients, double divisor,
                                  double learning_rate, int64_t t);

#endif
