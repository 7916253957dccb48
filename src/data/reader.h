/** Read-ahead: a thread makes the batches of the coming steps, so that a step never waits for data. */
#ifndef HEED_DATA_READER_H
#define HEED_DATA_READER_H

#include "data/sampler.h"

typedef struct heed_reader heed_reader;

/** Starts reading slices [first_slice, first_slice + slices) of every global batch from `data_position` on, in passes of
 *  `slices_at_once` slices (which divides `slices`): heed_reader_next gives pass 0, 1, … of each batch in turn. */
heed_status heed_reader_create(heed_reader **reader, const heed_sampler *sampler, uint32_t data_position, int64_t first_slice,
                               int64_t slices, int64_t slices_at_once);

/** How many batches a reader holds whose steps take so many passes. */
int64_t heed_reader_batches(int64_t passes);

/** The next batch; valid until the next call.  Waits only if the thread is behind. */
const heed_batch *heed_reader_next(heed_reader *reader);

/** Seconds that heed_reader_next has waited since the start. */
double heed_reader_waited(const heed_reader *reader);

void heed_reader_free(heed_reader *reader);

#endif
