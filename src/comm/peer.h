/** The sum over ranks as MPI itself makes it: what ours is held against. */
#ifndef HEED_COMM_PEER_H
#define HEED_COMM_PEER_H

#include <stdint.h>

#include "heed/communication.h"

/** data[i] = Σ over ranks of data[i], i < count, on all ranks: MPI_Allreduce, in place, in the order that it likes.  Collective.  Does
 *  nothing in a process by itself. */
void heed_peer_allreduce(heed_communication *world, float *data, int64_t count);

#endif
