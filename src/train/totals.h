/** What the slices of a step come to: their losses and counts, summed over all ranks along the fixed tree (base/tree.h), so that a step
 *  reports the same bits on any number of ranks. */
#ifndef HEED_TRAIN_TOTALS_H
#define HEED_TRAIN_TOTALS_H

#include "heed/communication.h"
#include "models/model.h"

typedef struct heed_totals {
  heed_communication *data, *tensor; /**< of the job: the ranks that take other slices, and those that hold other parts of the model */
  int64_t slices;                    /**< of a rank */
  double *all;                       /**< of each data rank the sums of its slices, and its request */
} heed_totals;

/** Rank-local.  Errors: HEED_FAILED when memory is short. */
heed_status heed_totals_create(heed_totals *totals, int64_t slices, heed_communication *job);
void heed_totals_free(heed_totals *totals);

/** Where this rank's slices leave theirs, [slices]. */
heed_slice_sums *heed_totals_mine(const heed_totals *totals);

/** The sum of a count over the data ranks, before the slices leave anything: it works in their place.  Collective over these ranks. */
double heed_totals_count(heed_totals *totals, int64_t mine);

/** The sums of all slices, once each has left its own.  A request travels with them, and then to those that hold other parts: of all ranks'
 *  the largest comes back.  What the slices left is used up.  Collective over the job. */
heed_slice_sums heed_totals_share(heed_totals *totals, int64_t request, int64_t *largest_request);

#endif
