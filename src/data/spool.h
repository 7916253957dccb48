/** A spool: a growing list of bytes kept in a nameless temporary file, so that its size does not weigh on memory.  Nothing of it is
 *  left when the process ends, however it ends. */
#ifndef HEED_DATA_SPOOL_H
#define HEED_DATA_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "heed/status.h"

typedef struct heed_spool {
  int file;            /**< −1 = not open */
  const char *beside;  /**< the file's path beside which it lies, for messages; not owned */
  char *buffer;        /**< not yet written */
  size_t used;         /**< bytes in the buffer */
  int64_t bytes;       /**< bytes added */
  heed_hasher *hasher; /**< of what was added */
} heed_spool;

/** Opens a spool in the folder of `beside` (a file's path, which must outlive it).  Errors: HEED_IO, HEED_INVALID when there is no such
 *  folder. */
heed_status heed_spool_create(heed_spool *spool, const char *beside);
heed_status heed_spool_add(heed_spool *spool, const void *data, size_t bytes);

/** Reads exactly `bytes` bytes from `from` on; what was added is there, added later or not.  Errors: HEED_IO. */
heed_status heed_spool_read(heed_spool *spool, void *data, int64_t from, size_t bytes);

/** The hash of all that was added; nothing is added after it. */
uint64_t heed_spool_hash(heed_spool *spool);

void heed_spool_free(heed_spool *spool);

#endif
