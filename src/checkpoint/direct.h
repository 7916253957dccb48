/** Files written and read past the page cache (O_DIRECT), as far as they have whole pages and the file system can; the rest goes through
 *  the cache. */
#ifndef HEED_CHECKPOINT_DIRECT_H
#define HEED_CHECKPOINT_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

enum { HEED_DIRECT_PAGE = 4096 }; /**< what places in memory and in the file are multiples of */

/** Writes exactly `bytes` bytes.  \param[in] data, offset  on pages.  Errors: HEED_IO. */
heed_status heed_direct_write(int file, const char *name, void *data, size_t bytes, int64_t offset);

/** The checksum of a file of `bytes` bytes that was synced, as the disk has it.
 *  Errors: HEED_IO; HEED_INVALID when it is shorter; HEED_FAILED when memory is short. */
heed_status heed_direct_hash(int file, const char *name, int64_t bytes, uint64_t *hash);

#endif
