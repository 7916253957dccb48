/** Work whose time is simulated: additions, and the optimizer's passes over its shard.  Nothing is worked out.
 *
 *  The blocks of a thousand ranks, gigabytes each, would fit nowhere, nor could one machine work through them.  So all ranks' blocks lie in
 *  the same memory, and what is in it means nothing. */
#ifndef HEED_TESTS_SCALE_SIMULATED_WORK_H
#define HEED_TESTS_SCALE_SIMULATED_WORK_H

#include "kernels/kernels.h"

/** Bytes of summands that a rank adds in a second (twice as much goes through its memory); 0: work takes no time, as at first. */
void simulated_work_set_rate(double bytes_per_second);

/** Lets the time pass that is owed still: small pieces of work are taken together, since each sleep of a rank parts its messages' times
 *  from those of the others, and the simulation has to work out all rates again at each time. */
void simulated_work_settle(void);

/** What the optimizer calls, and no more. */
heed_kernels simulated_work_kernels(void);

#endif
