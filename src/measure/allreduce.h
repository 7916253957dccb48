/** The sum over ranks and its return, as each step makes them, timed by size. */
#ifndef HEED_MEASURE_ALLREDUCE_H
#define HEED_MEASURE_ALLREDUCE_H

#include "heed/communication.h"

typedef struct heed_allreduce_result {
  int64_t bytes;
  double seconds; /**< median of reduce_scatter and allgather_shards, both */
} heed_allreduce_result;

enum { HEED_ALLREDUCE_SIZES = 7 }; /**< 1, 2, 4 … 64 MB (of 2²⁰ bytes) */

/** Collective; needs two ranks or more.  Sums of ones are checked, since a wrong sum proves nothing.
 *  Errors: HEED_INVALID for one rank; HEED_FAILED for a wrong sum or when memory is short. */
heed_status heed_allreduce_measure(heed_allreduce_result results[HEED_ALLREDUCE_SIZES], heed_communication *communication);

#endif
