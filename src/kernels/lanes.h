/** Private to kernels/: sums over a row in a fixed order.
 *
 *  Element i goes to lane i mod 16, and the lanes are added pairwise: the compiler may hold the lanes in registers of any width, the
 *  bits are the same. */
#ifndef HEED_KERNELS_LANES_H
#define HEED_KERNELS_LANES_H

#include "kernels/level.h"

/** Σ lanes, pairwise; the lanes are used up. */
static inline float heed_lanes_sum(float *lane) {
  for (int half = HEED_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      lane[l] += lane[l + half];
  return lane[0];
}

#endif
