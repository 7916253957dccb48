/** Files: small ones whole, and parts of open ones. */
#ifndef HEED_BASE_FILE_H
#define HEED_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

/** The last part of a path, slashes at its end left aside.  \param[out] length  in bytes; the text goes on in `path` */
const char *heed_path_name(const char *path, size_t *length);

/** Replaces a file at once: writes PATH.tmp-PID, flushes it to disk and renames it, so that readers see the old content or the new.
 *  Errors: HEED_IO naming the path. */
heed_status heed_file_replace(const char *path, const void *data, size_t bytes);

/** Reads a whole ordinary file of at most `most` bytes; `what` it should be is for messages ("a vocabulary").
 *  A pipe without a writer cannot hold us.  \param[out] text  allocated, with a zero behind its `bytes`.
 *  Errors: HEED_INVALID for a file that is missing, too large, or no file; HEED_IO for a failed read; HEED_FAILED when memory is short. */
heed_status heed_file_take(const char *path, const char *what, size_t most, char **text, size_t *bytes);

/** Reads exactly `bytes` bytes at `offset` of an open file.  \param[in] name  for messages.
 *  Errors: HEED_IO; HEED_INVALID when the file ends before. */
heed_status heed_file_read(int file, const char *name, void *data, size_t bytes, int64_t offset);

#endif
