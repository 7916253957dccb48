/** Work in a child process, for a library that may not survive it: HDF5 1.10 crashes at the end of a program in which a write failed.
 *  The child is a copy of the process; only its result, its status and its error text come back. */
#ifndef HEED_DATA_ISOLATED_H
#define HEED_DATA_ISOLATED_H

#include <stdbool.h>
#include <stddef.h>

#include "heed/status.h"

typedef struct heed_isolated {
  heed_status (*work)(void *result, const void *argument);
  const void *argument;
  void *result; /**< [result_bytes] given and taken back; NULL with 0 bytes for none */
  size_t result_bytes;
} heed_isolated;

/** Runs the work and waits for it.  Call it while no other thread uses the library.
 *  \param[out] died  the child did not come to its end; then the status is HEED_FAILED without a text of its own.
 *  Errors: those of the work; HEED_FAILED when there can be no child. */
heed_status heed_isolated_run(const heed_isolated *task, bool *died);

#endif
