/** Small files, written whole. */
#ifndef HEED_BASE_FILE_H
#define HEED_BASE_FILE_H

#include <stddef.h>

#include "heed/status.h"

/** Replaces a file at once: writes PATH.tmp-PID, flushes it to disk and renames it, so that readers see the old content or the new.
 *  Errors: HEED_IO naming the path. */
heed_status heed_file_replace(const char *path, const void *data, size_t bytes);

#endif
