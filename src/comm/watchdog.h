/** The watchdog: ends a job that stands still, and says whose doing it is.
 *
 *  A thread on each rank watches how the rank gets on (base/pulse.h), and tells rank 0's every second, by UDP, since MPI belongs to the
 *  main thread.  Rank 0's answers, warns of a standstill, and after the limit ends the job with exit code 124: without a call to MPI and
 *  without a cleanup, which might hang too.  Where rank 0 itself is silent the others do.  A process alone watches over itself.
 *
 *  HEED_WATCHDOG=SECONDS, on rank 0, replaces the limit of 60 s; 0 starts no watchdog.  The limits in full: comm/vigil.h. */
#ifndef HEED_COMM_WATCHDOG_H
#define HEED_COMM_WATCHDOG_H

#include "heed/communication.h"

/** Starts to watch; a second call does nothing.  Collective, after the first thing that the ranks agree on: one that fails before the
 *  world is open comes to that and to nothing else.  A rank whose thread cannot be started says so and is watched by the others
 *  as well as they can. */
void heed_watchdog_start(heed_communication *world);

/** Ends to watch; harmless where none does.  Rank-local: after the world is closed, since its end may hang too. */
void heed_watchdog_stop(void);

#endif
