/** The middle of a list of times. */
#ifndef HEED_MEASURE_MEDIAN_H
#define HEED_MEASURE_MEDIAN_H

#include <stdint.h>

/** The median of `values`, which are sorted by it; the mean of the two in the middle when their count is even.  count ≥ 1. */
double heed_median(double *values, int64_t count);

#endif
