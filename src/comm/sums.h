/** Sums over all ranks that go on while something else is worked out (sum_start, sum_poll, sum_finish of the table).
 *
 *  A sum of one bucket passes through three stages, each of which may wait for others: ranks that share memory add their part of all
 *  blocks at once, reading them where they are; then halves are exchanged by messages at growing distances; at last the groups exchange
 *  their pieces (layout.h).  A few sums are under way at a time, and are begun in the same order by all ranks, so that the oldest can
 *  always go on.
 *
 *  They go on when they are polled, between the layers of backward.  A thread that polls meanwhile was slower with Open MPI 4.1.4: with two
 *  ranks that exchange messages on two cores a step of BERT-mini or BERT-base took 1.03 to 1.05 times as long where it polled every 0.5 ms,
 *  and 1.25 times where every 0.05 ms. */
#ifndef HEED_COMM_SUMS_H
#define HEED_COMM_SUMS_H

#include <stddef.h>

#include "comm/job.h"

/** For the shards that the job has now.  Rank-local.  Errors: HEED_FAILED when memory is short. */
heed_status heed_sums_create(heed_sums **sums, const heed_job *job);
void heed_sums_free(heed_sums *sums);

#endif
