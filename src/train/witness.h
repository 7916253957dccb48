/** Hashes that tell when memory changes by itself: a flipped bit, a write to a wrong place, a copy that did not arrive.
 *
 *  After an update the ranks compare what forward reads, of which all have the same; and each remembers it, and its own shard, the masters
 *  and their moments, which nobody else has, until the next update is to change them.  A save in between asks too: in fp32 it reads
 *  rank 0's copy. */
#ifndef HEED_TRAIN_WITNESS_H
#define HEED_TRAIN_WITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "train/masters.h"
#include "train/optimizer.h"

typedef struct heed_witness {
  const heed_masters *masters;
  heed_optimizer *optimizer;
  heed_communication *communication; /**< the world */
  uint64_t *pieces;                  /**< hashes of pieces of a block */
  double *replicas;                  /**< [data ranks][2] halves of a hash */
  uint64_t common, shard;            /**< of what all have, and of this rank's own, if they are remembered */
  bool remembers;
} heed_witness;

/** All is borrowed.  Rank-local.  Errors: HEED_FAILED when memory is short; what was made is to be freed then too. */
heed_status heed_witness_create(heed_witness *witness, const heed_masters *masters, heed_optimizer *optimizer,
                                heed_communication *communication);
void heed_witness_free(heed_witness *witness);

/** The weights or moments change, or are set anew: nothing is remembered. */
static inline void heed_witness_forget(heed_witness *w) {
  w->remembers = false;
}

/** After an update: compares the ranks' copies, and remembers this rank's and its shard.  Collective.
 *  Errors: HEED_FAILED naming the rank whose copy is not that of most others. */
heed_status heed_witness_take(heed_witness *witness);

/** Before the next: whether each rank's copy and shard are as they were, if they are remembered.  Collective.
 *  Errors: HEED_FAILED naming a rank of which that is not so. */
heed_status heed_witness_check(const heed_witness *witness);

#endif
