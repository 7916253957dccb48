/** HDF5 made ready, and its errors as text.  Private to state_create.c and state_check.c. */
#ifndef HEED_CHECKPOINT_LIBRARY_H
#define HEED_CHECKPOINT_LIBRARY_H

#include <hdf5.h>

#include "checkpoint/manifest.h"
#include "heed/status.h"

/** Once before anything else: no plug-ins are loaded for a file's sake, and errors are not printed but told by heed_library_error. */
void heed_library_ready(void);

/** heed_error with "FILE: WHAT: " and the innermost text of HDF5's error stack. */
heed_status heed_library_error(heed_status status, const char *file, const char *what);

/** The type of an item in the file; to be closed with H5Tclose.  Negative on failure. */
hid_t heed_library_type(const heed_item *item);

#endif
