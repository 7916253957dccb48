/** Files mapped into memory, and what to say when one breaks away under the program. */
#ifndef HEED_BASE_MAPPING_H
#define HEED_BASE_MAPPING_H

#include <stdbool.h>
#include <stddef.h>

#include "heed/status.h"

/** Maps the first `bytes` > 0 of a file, to be read.  `path` is what messages call it.  The descriptor may be closed after that.
 *  Rank-local; one thread at a time, as heed_mapping_close.
 *  Errors: HEED_IO when the system refuses, HEED_FAILED when memory is short. */
heed_status heed_mapping_open(const void **data, int file, size_t bytes, const char *path);

/** NULL does nothing. */
void heed_mapping_close(const void *data);

/** Whether a mapped file was written to since: by its size and time.  A file that has its name now, but is another, is none of ours.
 *  Rank-local. */
bool heed_mapping_was_written(const void *data);

/** Ends the program with exit code HEED_IO and a message that names rank, file and reason.  Where many ranks meet the same, rank 0 speaks,
 *  and the others wait for the launcher to end them. */
_Noreturn void heed_mapping_end(const char *path, const char *reason);

/** From here on a page of such a file that cannot be had (the file was cut short, its disk or server failed), which the system tells by
 *  SIGBUS, ends the program by heed_mapping_end.  Any other SIGBUS ends it as before. */
void heed_mapping_guard(void);

#endif
