/** The shards of a job: what sums and copies divide among ranks. */
#ifndef HEED_COMM_SHARDS_H
#define HEED_COMM_SHARDS_H

#include "comm/job.h"

/** Frees what the table's `shard` allocated. */
void heed_job_free_shards(heed_job *job);

#endif
