/** Position-wise feed-forward: y = gelu(x·W₁ᵀ + b₁)·W₂ᵀ + b₂ (Vaswani et al. 2017, §3.3). */
#ifndef HEED_LAYERS_FEED_FORWARD_H
#define HEED_LAYERS_FEED_FORWARD_H

#include "layers/linear.h"

typedef struct heed_feed_forward {
  bool tanh_form; /**< of GELU */
  heed_linear up, down;
  size_t before, after; /**< saved: [T, F] each, on both sides of the activation */
  size_t d_inner;       /**< backward's, shared: [T, F] */
} heed_feed_forward;

#endif
