/** Files written and read past the page cache (O_DIRECT), as far as they have whole pages and the file system can; the rest goes through
 *  the cache. */
#ifndef HEED_CHECKPOINT_DIRECT_H
#define HEED_CHECKPOINT_DIRECT_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

enum {
  HEED_DIRECT_PAGE = 4096,    /**< what places in memory and in the file are multiples of */
  HEED_DIRECT_BLOCK = 4 << 20 /**< what is moved at a time */
};

/** Writes exactly `bytes` bytes.  \param[in] data, offset  on pages.  Errors: HEED_IO. */
heed_status heed_direct_write(int file, const char *name, const void *data, size_t bytes, int64_t offset);

/** Takes what was read, block after block: HEED_OK to go on. */
typedef heed_status heed_direct_taker(void *taker, const char *block, size_t bytes, int64_t offset);

/** Reads a file of `bytes` bytes that was synced, as the disk has it, and gives it to `take`.
 *  Errors: HEED_IO; HEED_INVALID when it is shorter; HEED_FAILED when memory is short; what `take` returns. */
heed_status heed_direct_read(int file, const char *name, int64_t bytes, heed_direct_taker *take, void *taker);

#endif
