/** The lock of a run folder: one job at a time, and none that outlives its job.
 *
 *  A kernel lock (open file description, fcntl(2)) on RUN/.lock goes with the process, however it ends, also across NFS.  Where the file
 *  system has no locks (some Lustre mounts), a heartbeat stands in: RUN/.heartbeat, rewritten every few seconds. */
#ifndef HEED_CHECKPOINT_LOCK_H
#define HEED_CHECKPOINT_LOCK_H

#include <stdbool.h>

#include "heed/status.h"

typedef struct heed_lock heed_lock;

/** What a file system answers who asks for the kernel lock. */
typedef enum heed_lock_answer { HEED_LOCK_TAKEN, HEED_LOCK_HELD, HEED_LOCK_NONE /**< it has no locks */ } heed_lock_answer;

/** Asks for the kernel lock of an open folder and does not wait.  The lock, if taken, goes with the file.
 *  \param[in] path  the folder, in messages.  \param[out] file  FOLDER/.lock, to be closed.  Errors: HEED_IO when it cannot be made,
 *  HEED_INVALID when it is not a file; nothing is open then. */
heed_status heed_lock_try(int folder, const char *path, int *file, heed_lock_answer *answer);

/** Takes the lock of the open run folder.  Rank-local (rank 0).  \param[in] path  the run folder, in messages.
 *  Errors: HEED_INVALID naming the job that holds it, HEED_IO when the folder cannot be written. */
heed_status heed_lock_take(heed_lock **lock, int folder, const char *path);

/** HEED_IO when the lock (NULL: none was taken) was lost: a heartbeat that stopped for so long (a suspended process) that another job took
 * over. */
heed_status heed_lock_check(const heed_lock *lock);

void heed_lock_release(heed_lock *lock);

#endif
