/** How fast a file system takes what is to last. */
#ifndef HEED_MEASURE_DISK_H
#define HEED_MEASURE_DISK_H

#include <stddef.h>

#include "heed/status.h"

/** Writes at most `most` bytes (and no more than 64 MiB) into a file without a name beside `path`, flushes them to disk and reads them
 *  back from it, as a checkpoint is saved, and removes them.  Of a folder that is not there yet the nearest one above it is taken.
 * Rank-local. \param[out] bytes_per_second  over all three Errors: HEED_IO naming the folder; HEED_FAILED when memory is short. */
heed_status heed_disk_measure(double *bytes_per_second, const char *path, size_t most);

#endif
