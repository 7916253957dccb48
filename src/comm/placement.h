/** Where the threads of a rank run, for the files of comm/. */
#ifndef HEED_COMM_PLACEMENT_H
#define HEED_COMM_PLACEMENT_H

/** The calling thread, no thread of OpenMP's, may run wherever those may: one that the main thread starts inherits the place that OpenMP
 *  bound that one to.  Does nothing where nothing is bound. */
void heed_placement_leave(void);

#endif
