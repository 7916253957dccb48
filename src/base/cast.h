/** The one way from int64_t to the int of BLAS and MPI. */
#ifndef HEED_BASE_CAST_H
#define HEED_BASE_CAST_H

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/** Plans refuse sizes over INT_MAX where they matter, so a value that does not fit here is a defect of Heed: it aborts by name. */
static inline int heed_int(int64_t value) {
  if (value < INT_MIN || value > INT_MAX) {
    fprintf(stderr, "heed: internal error: %lld does not fit an int\n", (long long)value);
    abort();
  }
  return (int)value;
}

#endif
