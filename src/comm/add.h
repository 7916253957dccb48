/** What the table's `add` works with.
 *
 *  `add` is called between the products of a layer, many times a step, for a few megabytes at a time that all ranks need at once: so data
 *  pass through buffers that are there before, piece by piece, and each rank adds up its share of a piece for all. */
#ifndef HEED_COMM_ADD_H
#define HEED_COMM_ADD_H

#include "comm/job.h"

/** Floats, and bytes, of the buffer of a rank. */
enum { HEED_ADD_FLOATS = 1 << 19, HEED_ADD_BYTES = HEED_ADD_FLOATS * (int)sizeof(float) };

/** After heed_node_open.  Collective.
 *  \param[in] often  whether the job's ranks add much: their buffers are then shared where all are near, and touched here
 *  Errors: HEED_FAILED on all ranks when memory is short on any. */
heed_status heed_add_open(heed_job *job, bool often);
void heed_add_close(heed_job *job);

#endif
