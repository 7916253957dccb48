/** OpenBLAS as loaded: checked at start, so that matrix products are serial, thread-safe and named. */
#ifndef HEED_BASE_BLAS_H
#define HEED_BASE_BLAS_H

#include <stdbool.h>

#include "heed/status.h"

/** Makes sure that products called from many threads at once are serial and right, and that OpenBLAS runs code that fits the processor:
 *  where it does not know the processor and fell back to an older core, and OPENBLAS_CORETYPE does not ask for one, another is chosen.
 *  Warns once where the library cannot be told.  Rank-local; before the first product.
 *  Errors: HEED_FAILED for an OpenBLAS that is not safe to call from threads. */
heed_status heed_blas_check(void);

/** The core whose code OpenBLAS runs, for example Haswell or SkylakeX: bits depend on it.  The first call (or heed_blas_check's) may
 *  choose another than the library did; it changes the environment for a moment, so it should come before other threads. */
const char *heed_blas_core(void);

/** The core that fits a processor with these instructions better than `core` does, or NULL where `core` uses them or is unknown. */
const char *heed_blas_wider_core(const char *core, bool avx2, bool avx512);

/** The configuration string of the loaded library. */
const char *heed_blas_config(void);

#endif
