/** What ranks do together, as a table of operations.
 *
 *  Rooms that must not know MPI (layers, checkpoint, train) see only this table.  comm/ fills it for an MPI job; heed_alone() is the
 *  table of a process by itself.  All operations are collective: every rank calls them in the same order. */
#ifndef HEED_COMMUNICATION_H
#define HEED_COMMUNICATION_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

typedef struct heed_communication heed_communication;

struct heed_communication {
  int rank, size;
  void *self; /**< the implementation's own */

  /** Agrees on errors.  Each rank gives its status; if any is not HEED_OK, all return the status of the lowest failing rank, and
   *  its text becomes the error text of all, beginning with "rank R: " when the job has more than one rank. */
  heed_status (*agree)(heed_communication *, heed_status mine);

  /** Copies `bytes` bytes from rank 0 to all. */
  void (*broadcast)(heed_communication *, void *data, size_t bytes);

  /** values[size][count]: each rank has filled values[rank]; afterwards all have all, in the order of ranks. */
  void (*allgather)(heed_communication *, double *values, int64_t count);

  /** The largest of all ranks' values. */
  int64_t (*maximum)(heed_communication *, int64_t value);

  void (*barrier)(heed_communication *);

  /** Divides the flat block [0, cuts[count − 1]) into one shard a rank, at `cuts` (heed_parameters_cuts).  Before the
   *  four operations below. */
  heed_status (*shard)(heed_communication *, const int64_t *cuts, int64_t count);

  /** This rank's shard, in floats of the flat block; set by `shard`. */
  int64_t shard_first, shard_end;

  /** Sums `data` over all ranks along the fixed binary tree.  data[0] is element `first` of the flat block, `count` elements.
   *  Afterwards the part of `data` inside this rank's shard holds the sum; the rest is undefined. */
  void (*reduce_scatter)(heed_communication *, float *data, int64_t first, int64_t count);

  /** The flat block `data`: each rank's shard is copied to all. */
  void (*allgather_shards)(heed_communication *, float *data);

  /** Brings elements [first, first + count) of a sharded block to rank 0.  `shard` is this rank's shard (its element shard_first
   *  at index 0); `root` receives `count` floats on rank 0 and is ignored elsewhere. */
  void (*gather_range)(heed_communication *, float *root, const float *shard, int64_t first, int64_t count);

  /** Ends the whole job at once with this exit code and the error text: for what cannot be agreed on. */
  void (*abort)(heed_communication *, heed_status status);
};

/** The table of a process by itself: one rank, one shard.  Static: nothing to free. */
heed_communication *heed_alone(void);

#endif
