/** The inside of a store, for the files of this room. */
#ifndef HEED_CHECKPOINT_STORE_H
#define HEED_CHECKPOINT_STORE_H

#include "checkpoint/folder.h"
#include "checkpoint/lock.h"
#include "heed/checkpoint.h"

typedef struct heed_background heed_background;

struct heed_checkpoint_store {
  heed_communication *communication;
  char *path; /**< RUN/checkpoints */
  int64_t keep;
  int64_t file_bytes; /**< of tensors, that a file of a state may hold */
  /* rank 0 only */
  int run, folder; /**< RUN and RUN/checkpoints, open; −1 elsewhere */
  heed_lock *lock;
  heed_steps damaged;          /**< found so when the newest good one was looked for, in all their bytes; not those saved anew since */
  heed_background *background; /**< a save that goes on (background.c), on every rank; NULL: none */
  float *copy;                 /**< the state that it writes, rank 0 */
};

/** Where somebody removed the run's folder, or checkpoints/ in it, makes them again, with a warning, and takes the lock anew.  Rank 0.
 *  Errors: as heed_checkpoint_store_open's. */
heed_status heed_store_mend(heed_checkpoint_store *store);

/** Waits for a save that goes on and takes it back, and frees what saves in the background keep.  Rank-local. */
void heed_background_drop(heed_checkpoint_store *store);

/** Retires what is no longer kept after `step` was committed: the newest `keep` good checkpoints, the best, what cannot be read just now,
 *  and `step` itself stay.  Rank 0.  What goes wrong here is a warning: the commit stands. */
void heed_checkpoint_retire(heed_checkpoint_store *store, int64_t step);

/** Renames a folder of the store away and removes it: a kill in between leaves nothing that looks like a checkpoint. */
heed_status heed_checkpoint_discard(const heed_checkpoint_store *store, const char *name);

/** The path of an item: block 0 is the parameters, block b > 0 moment b − 1. */
void heed_item_path(char path[], const heed_checkpoint_tensors *tensors, int block, int64_t parameter);

/** Checks what a caller gave.  Errors: HEED_INVALID. */
heed_status heed_tensors_check(const heed_checkpoint_tensors *tensors);

#endif
