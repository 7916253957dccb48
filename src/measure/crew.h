/** Processes that work side by side for a measurement: what a rank does is slower while its neighbours do the same. */
#ifndef HEED_MEASURE_CREW_H
#define HEED_MEASURE_CREW_H

#include <stddef.h>

#include "heed/status.h"

typedef struct heed_crew {
  int member, size;
  void *shared; /**< the block that all see */
  void *gate;
} heed_crew;

/** What each member does.  Of its errors the text reaches the caller of heed_crew_run. */
typedef heed_status heed_crew_work(const heed_crew *crew, void *self);

/** Forks `size` members, which work and end; none outlives the caller.  The caller must not have opened a parallel region before: the
 *  threads of one do not come along.
 *  \param[in,out] shared  [bytes] what the members find in the block that all see, and what they leave there
 *  Errors: a failing member's, whereupon the others are ended; HEED_FAILED when no processes can be made or one is killed. */
heed_status heed_crew_run(void *shared, size_t bytes, int size, heed_crew_work *work, void *self);

/** Waits for all members; what one wrote into the shared block before, the others see after. */
void heed_crew_meet(const heed_crew *crew);

#endif
