/** The world divided: ranks that hold the same parts of the tensors, and ranks that hold the parts of one. */
#ifndef HEED_COMM_GROUPS_H
#define HEED_COMM_GROUPS_H

#include "comm/job.h"

/** Ends the groups of the world, whose table stands undivided after that; harmless when there are none.  Collective. */
void heed_groups_close(heed_job *world);

#endif
