/** The inside of a store, for the files of this room. */
#ifndef HEED_CHECKPOINT_STORE_H
#define HEED_CHECKPOINT_STORE_H

#include "checkpoint/lock.h"
#include "heed/checkpoint.h"

struct heed_checkpoint_store {
  heed_communication *communication;
  char *path; /**< RUN/checkpoints */
  int64_t keep;
  /* rank 0 only */
  int run, folder; /**< RUN and RUN/checkpoints, open; −1 elsewhere */
  heed_lock *lock;
};

/** Retires what is no longer kept after `step` was committed: the newest `keep` good checkpoints, the best, and `step` itself stay.
 *  Rank 0.  What goes wrong here is a warning: the commit stands. */
void heed_checkpoint_retire(const heed_checkpoint_store *store, int64_t step);

/** Renames a folder of the store away and removes it: a kill in between leaves nothing that looks like a checkpoint. */
heed_status heed_checkpoint_discard(const heed_checkpoint_store *store, const char *name);

/** A run over the flat block [0, total) in pieces of HEED_PIECE_BYTES, each cut at the borders of tensors. */
typedef struct heed_span {
  int64_t parameter;    /**< its index in the table */
  int64_t first, count; /**< of the flat block, in floats */
} heed_span;

/** The next span of [span.first + span.count, end); begin with {.parameter = 0, .first = start of the range, .count = 0} and give the
 *  parameter found last for the next range.  False at the end. */
bool heed_span_next(const heed_parameter_table *table, int64_t end, heed_span *span);

/** The path of an item: block 0 is the parameters, block b > 0 moment b − 1. */
void heed_item_path(char path[], const heed_checkpoint_tensors *tensors, int block, int64_t parameter);

/** Checks what a caller gave.  Errors: HEED_INVALID. */
heed_status heed_tensors_check(const heed_checkpoint_tensors *tensors);

#endif
