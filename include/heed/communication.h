/** What ranks do together, as a table of operations.
 *
 *  Rooms that must not know MPI (layers, checkpoint, train) see only this table.  comm/ fills it for an MPI job; heed_alone() is the
 *  table of a process by itself.  All operations are collective: every rank calls them in the same order. */
#ifndef HEED_COMMUNICATION_H
#define HEED_COMMUNICATION_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

/** Floats of a bucket, about: large enough for the network, small enough that much is on its way before all is worked out. */
enum { HEED_BUCKET_FLOATS = 1 << 22 };

/** What a rank owns of one bucket of a flat block: elements [first, end), kept in its shard from place `at` on. */
typedef struct heed_shard_run {
  int64_t first, end, at;
} heed_shard_run;

/** A block with elements of the flat one, of `bytes` bytes each: all of them, or with `parts` those of [first, end) of each part, in their
 *  order and without gaps; `at` is where a part begins. */
typedef struct heed_gathered {
  void *data;
  size_t bytes;
  const heed_shard_run *parts;
  int64_t part_count;
} heed_gathered;

/** Blocks that are gathered together, at most. */
enum { HEED_MOST_GATHERED = 2 };

typedef struct heed_communication heed_communication;

struct heed_communication {
  int rank, size;

  /** The job as a table of data ranks times tensor ranks: `data` are those that hold the same part of every tensor as this one and other
   *  slices of the batch, `tensor` those that hold the other parts and take the same slices.  Rank r is number r / t of its data ranks and
   *  number r mod t of its t tensor ranks: these are neighbours.  Until the ranks are so divided (comm/world.h) data is the table itself
   *  and tensor that of a process by itself.  In these two tables themselves they are not set. */
  heed_communication *data, *tensor;

  int near;   /**< ranks whose blocks (`allocate`) this one reads where they lie, itself included */
  void *self; /**< the implementation's own */

  /** Agrees on errors.  Each rank gives its status; if any is not HEED_OK, all return the status of the lowest failing rank, and
   *  its text becomes the error text of all, beginning with "rank R: " when the job has more than one rank. */
  heed_status (*agree)(heed_communication *, heed_status mine);

  /** Copies `bytes` bytes from rank 0 to all. */
  void (*broadcast)(heed_communication *, void *data, size_t bytes);

  /** values[size][count]: each rank has filled values[rank]; afterwards all have all, in the order of ranks. */
  void (*allgather)(heed_communication *, double *values, int64_t count);

  /** Adds up data[count] over all ranks, in their order; all then hold the same bits. */
  void (*add)(heed_communication *, float *data, int64_t count);

  /** The largest of all ranks' values. */
  int64_t (*maximum)(heed_communication *, int64_t value);

  void (*barrier)(heed_communication *);

  /** Memory for `count` floats, aligned for vectors.  Of such blocks the ranks of one machine read each other's where its shared memory
   *  suffices: sums and copies need no messages between them.  It holds zeros.  Collective, as `release` is.
   *  Errors: HEED_FAILED on all ranks when memory is short on any. */
  heed_status (*allocate)(heed_communication *, float **block, int64_t count);
  void (*release)(heed_communication *, float *block); /**< NULL does nothing */

  /** Divides the flat block [0, edges[buckets]) into `buckets` of [edges[i], edges[i + 1]), and each bucket among all ranks, so that a
   * bucket can be summed while others are still being worked out.  Edges and the borders of shards are `cuts` (heed_parameters_cuts), of
   * which there are `count`.  Before what follows; a second call divides anew. */
  heed_status (*shard)(heed_communication *, const int64_t *cuts, int64_t count, const int64_t *edges, int64_t buckets);

  /** This rank's shard, in the order of the flat block, and how many floats it has; set by `shard`. */
  const heed_shard_run *runs;
  int64_t run_count, shard_floats;

  /** Begins to sum `data` over all ranks along the fixed binary tree.  data[0] is element `first` of the flat block, `count` elements.
   *  Returns before that is done; until sum_finish the elements are neither read nor written.  All ranks begin the same sums in the same
   *  order. */
  void (*sum_start)(heed_communication *, float *data, int64_t first, int64_t count);

  /** Goes on with the sums that were begun as far as it can without waiting for other ranks. */
  void (*sum_poll)(heed_communication *);

  /** Waits for all sums that were begun.  The parts of their data inside this rank's shard hold them; the rest is undefined. */
  void (*sum_finish)(heed_communication *);

  /** Each rank's shard of these blocks is copied to all, as fast as where they lie allows: all in memory of `allocate`, or none. */
  void (*allgather_shards)(heed_communication *, const heed_gathered *blocks, int count);

  /** Brings elements [first, first + count) of a sharded block to rank 0.  `shard` is this rank's shard, run after run; `root` receives
   *  `count` floats on rank 0 and is ignored elsewhere. */
  void (*gather_range)(heed_communication *, float *root, const float *shard, int64_t first, int64_t count);

  /** Brings `bytes` bytes of rank `from` to rank 0: from its `data` to rank 0's `root`, which do not overlap.  The other ranks do nothing
   *  and may return at once; `root` is ignored outside rank 0, `data` outside `from`. */
  void (*bring)(heed_communication *, void *root, const void *data, size_t bytes, int from);

  /** Ends the whole job at once with this exit code and the error text: for what cannot be agreed on. */
  void (*abort)(heed_communication *, heed_status status);
};

/** The table of a process by itself: one rank, one shard.  Static: nothing to free. */
heed_communication *heed_alone(void);

#endif
