/** The watch over what launched this process, mpirun or its daemon: one that is killed ends nobody, and its ranks would train on unseen, or
 *  wait for each other for ever, in MPI_Init or later. */
#ifndef HEED_COMM_LAUNCHER_H
#define HEED_COMM_LAUNCHER_H

/** Starts a thread that ends this process, with HEED_FAILED, within some 2 s of the end of its parent, and says why on the rank that
 *  speaks for all (on each, before it has a number); a second call does nothing.  Rank-local; before MPI is started, since a parent that
 *  is gone by then is not missed.  Where no thread can be started it says so. */
void heed_launcher_watch(void);

/** Ends the watch; harmless where there is none.  After MPI is closed, which may hang too. */
void heed_launcher_leave(void);

#endif
