/** Normal numbers from counters, many at a time. */
#ifndef HEED_BASE_NORMAL_H
#define HEED_BASE_NORMAL_H

#include <stdbool.h>
#include <stdint.h>

/** values[i] = deviation · n, n the normal number of element `first` + i of a tensor: by Box–Muller from the draw of
 *  (element, try, tensor) for initialisation; `truncated`: of the first try that lies within ±2.  Rank-local, one thread.
 *  The bits are the same on every processor: arithmetic in double without fused steps, and a logarithm and a cosine of our own. */
void heed_normal_fill(float *values, int64_t first, int64_t count, double deviation, uint32_t tensor, uint32_t seed, bool truncated);

#endif
