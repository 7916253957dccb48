/** The instruction level of a job: the same code on every rank. */
#ifndef HEED_MODELS_LEVEL_H
#define HEED_MODELS_LEVEL_H

#include "heed/communication.h"
#include "heed/config.h"
#include "kernels/kernels.h"

/** Chooses the kernels of the lowest common instruction level of all ranks, so that they compute the same bits, and warns on each rank
 *  whose OpenBLAS runs other code than rank 0's.  Collective.
 *  Errors: HEED_INVALID when HEED_ISA names a level that is unknown or that a processor lacks. */
heed_status heed_level_agree(const heed_kernels **kernels, heed_communication *communication);

/** The kernels of the same level for elements of that precision. */
static inline const heed_kernels *heed_kernels_of(const heed_kernels *kernels, heed_precision precision) {
  return precision == HEED_BF16 ? kernels->bf16 : kernels;
}

#endif
