/** Files mapped into memory, and what to say when one breaks away under the program. */
#ifndef HEED_BASE_MAPPING_H
#define HEED_BASE_MAPPING_H

#include <stddef.h>

#include "heed/status.h"

/** Maps the first `bytes` > 0 of a file, to be read.  `path` is what messages call it.  The descriptor may be closed after that.
 *  Rank-local; one thread at a time, as heed_mapping_close.
 *  Errors: HEED_IO when the system refuses, HEED_FAILED when memory is short. */
heed_status heed_mapping_open(const void **data, int file, size_t bytes, const char *path);

/** NULL does nothing. */
void heed_mapping_close(const void *data);

/** From here on a page of such a file that cannot be had (the file was cut short, its disk or server failed), which the system tells by
 *  SIGBUS, ends the program with exit code HEED_IO and a message that names rank and file.  Any other SIGBUS ends it as before.  Where
 *  many ranks meet the same, rank 0 speaks, and the others wait for the launcher to end them. */
void heed_mapping_guard(void);

#endif
