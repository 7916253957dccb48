/** The sum over ranks and its return, as each step makes them, timed by size beside another implementation. */
#ifndef HEED_MEASURE_ALLREDUCE_H
#define HEED_MEASURE_ALLREDUCE_H

#include <stdbool.h>
#include <stddef.h>

#include "heed/communication.h"
#include "measure/network.h"

/** Sums `data` over all ranks, on all.  Collective. */
typedef void heed_allreduce_sum(heed_communication *communication, float *data, int64_t count);

typedef struct heed_allreduce_spec {
  heed_communication *communication;
  heed_allreduce_sum *peer; /**< what ours is held against */
  int64_t ranks_on_node;    /**< that share this machine's memory */
  int64_t largest;          /**< bytes: larger sizes are not wanted */
} heed_allreduce_spec;

typedef struct heed_allreduce_size {
  int64_t bytes;
  double seconds;      /**< median of the sum and the return, both */
  double peer_seconds; /**< the peer's */
  double ratio;        /**< median, over pairs of one after the other, of the peer's time over ours: above 1 ours is faster */
} heed_allreduce_size;

enum { HEED_ALLREDUCE_SIZES = 10 }; /**< 1, 2, 4 … 512 MB (of 2²⁰ bytes) */

typedef struct heed_allreduce_result {
  heed_allreduce_size sizes[HEED_ALLREDUCE_SIZES];
  int count;            /**< of them */
  int wanted;           /**< those that memory does not hold are left out: sizes[count … wanted) */
  heed_network network; /**< that these times are of */
  bool latency_apart;   /**< its latency is of the smallest sums: these times show none, as those of one size, or of caches that overflow */
} heed_allreduce_result;

/** How many of the sizes, from the first on, ranks of a machine may use together: a block each and as much again, which MPI may take, in
 *  a third of the memory that is available.  Pure. */
int heed_allreduce_fitting(size_t available, int64_t ranks_on_node);

/** Collective; needs two ranks or more.  Sums of ones are checked, since a wrong sum proves nothing.
 *  Errors: HEED_INVALID for one rank; HEED_FAILED for a wrong sum or when memory is short. */
heed_status heed_allreduce_measure(heed_allreduce_result *result, const heed_allreduce_spec *spec);

#endif
