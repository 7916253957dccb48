/** OpenBLAS as loaded: checked at start, so that matrix products are serial, thread-safe and named. */
#ifndef HEED_BASE_BLAS_H
#define HEED_BASE_BLAS_H

#include "heed/status.h"

/** Makes sure that products called from many threads at once are serial and right.  Rank-local; once, before the first product.
 *  Errors: HEED_FAILED for an OpenBLAS that is not safe to call from threads. */
heed_status heed_blas_check(void);

/** The core OpenBLAS chose its code for, for example Haswell or SkylakeX: bits depend on it. */
const char *heed_blas_core(void);

/** The configuration string of the loaded library. */
const char *heed_blas_config(void);

#endif
