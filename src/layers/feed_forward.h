/** Position-wise feed-forward, plain or gated:
 *
 *      y = act(x·W₁ᵀ + b₁)·W₂ᵀ + b₂                      (Vaswani et al. 2017, §3.3)
 *      y = (act(x·Aᵀ + a) ⊙ (x·Bᵀ + b))·W₂ᵀ + b₂          (Shazeer 2020), A and B the halves of W₁ */
#ifndef HEED_LAYERS_FEED_FORWARD_H
#define HEED_LAYERS_FEED_FORWARD_H

#include "heed/config.h"
#include "layers/linear.h"

typedef struct heed_feed_forward {
  heed_form form;
  bool gated;
  heed_linear up, down;
  size_t after;             /**< saved, elements: [T, F], act(…) or gated */
  size_t slopes;            /**< saved, elements, plain: [T, F], act′(…) */
  size_t before;            /**< saved, elements, gated: [T, 2F] */
  size_t d_before, d_after; /**< backward's, shared: [T, F], or gated [T, 2F]; when gated [T, F] */
} heed_feed_forward;

/** The function of an activation, and whether it is gated. */
heed_form heed_activation_form_of(heed_activation activation, bool *gated);

#endif
