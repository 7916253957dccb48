/** How the products of a linear layer are cut, for linear.c and linear_backward_weight.c: what the one works in the other reserves. */
#ifndef HEED_KERNELS_LINEAR_H
#define HEED_KERNELS_LINEAR_H

#include "kernels/element.h"

enum {
  /** elements of the left factor that a thread takes at a time: near the second cache of server processors */
  HEED_LINEAR_LEFT = 786432 / (int)sizeof(heed_element),
  HEED_LINEAR_BAND = 4096, /**< rows of d_w at a time */
  HEED_LINEAR_SHARES = 4   /**< pieces of work a thread, so that all end together */
};

#endif
