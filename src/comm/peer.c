#include "comm/peer.h"

#include "base/cast.h"
#include "comm/job.h"

enum { LARGEST = 1 << 30 }; /* floats of a call: MPI counts are int */

void heed_peer_allreduce(heed_communication *world, float *data, int64_t count) {
  heed_job *job = heed_job_of(world);
  for (int64_t first = 0; job && first < count; first += LARGEST) {
    const int64_t left = count - first;
    MPI_Allreduce(MPI_IN_PLACE, data + first, heed_int(left < LARGEST ? left : LARGEST), MPI_FLOAT, MPI_SUM, job->ranks);
  }
}
