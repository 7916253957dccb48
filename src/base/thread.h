/** Threads beside the main one. */
#ifndef HEED_BASE_THREAD_H
#define HEED_BASE_THREAD_H

#include <pthread.h>

/** pthread_create, of a thread that takes no signals but those of faults of its own: USR1, TERM and the like are the main thread's.
 *  Returns 0, or what pthread_create says. */
int heed_thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
