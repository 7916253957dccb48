/** A file that appears under its name only when it is whole and on the disk: written beside it, made durable, renamed. */
#ifndef HEED_DATA_OUTPUT_H
#define HEED_DATA_OUTPUT_H

#include <stddef.h>

#include "heed/status.h"

/** The folder part of a path, "." when it has none.  Allocated; NULL when memory is short. */
char *heed_folder_of(const char *path);

/** Opens a new file named PATH.tmp-RANDOM.  \param[out] name  its path, allocated.
 *  Errors: HEED_INVALID when there is no such folder, HEED_IO when it cannot be written or it fails otherwise. */
heed_status heed_output_begin(const char *path, char **name, int *file);

/** Makes the file durable and gives it its final name, in the place of an earlier one.  Errors: HEED_IO. */
heed_status heed_output_end(const char *path, const char *name, int file);

/** Whether a file of this name can be made, or may be replaced: asked before the work.  Errors: HEED_INVALID, HEED_IO. */
heed_status heed_output_check(const char *path);

typedef struct heed_output_file {
  const char *path;
  const void *data;
  size_t bytes;
} heed_output_file;

enum { HEED_OUTPUT_FILES = 2 };

/** Up to HEED_OUTPUT_FILES whole files from memory that belong together: all are written and durable before the first gets its name.
 *  Old and new ones never stand side by side: an error leaves the old ones; a kill these, the new ones, or too few to be taken for either,
 *  with what is not in its place beside it as PATH.tmp-… and PATH.tmp-….old.  Errors: as heed_output_write. */
heed_status heed_output_write_all(const heed_output_file *files, int count);

/** A whole file from memory, the same way.  Errors: HEED_INVALID when `path` is a folder or not to be written, HEED_IO. */
heed_status heed_output_write(const char *path, const void *data, size_t bytes);

#endif
