/** A lock without locks: a file rewritten every `period` seconds by a thread of its holder.
 *
 *  The file holds host, process, a random token and a count of beats.  Who finds one watches it for six periods: a count that moves is a
 *  live job, one that stands still a dead one, whose file is replaced.  No clocks of two hosts are compared. */
#ifndef HEED_CHECKPOINT_HEARTBEAT_H
#define HEED_CHECKPOINT_HEARTBEAT_H

#include <stdbool.h>

#include "heed/status.h"

#define HEED_HEARTBEAT_FILE ".heartbeat"

typedef struct heed_heartbeat heed_heartbeat;

/** Errors: HEED_INVALID naming the job that holds it, HEED_IO. */
heed_status heed_heartbeat_take(heed_heartbeat **heartbeat, int folder, const char *path, double period);

/** Whether another job has taken over meanwhile. */
bool heed_heartbeat_is_lost(const heed_heartbeat *heartbeat);

void heed_heartbeat_release(heed_heartbeat *heartbeat);

#endif
