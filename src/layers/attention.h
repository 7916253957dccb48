/** Multi-head self-attention over ragged sequences (Vaswani et al. 2017, §3.2). */
#ifndef HEED_LAYERS_ATTENTION_H
#define HEED_LAYERS_ATTENTION_H

#include "layers/linear.h"

/** attended = concat over heads of softmax(q·kᵀ/√D)·v, with q, k, v = x·W_qkvᵀ + b; out = attended·W_oᵀ + b. */
typedef struct heed_attention {
  int64_t heads, head_width; /* H, D */
  double dropout;            /**< of the attention weights */
  int64_t number;            /**< which attention of the model, from 0 */
  uint32_t site;
  heed_linear query_key_value, output;
  size_t qkv, lse, attended; /**< saved: [T, 3C], [T, H], [T, C] */
  size_t d_qkv, d_attended;  /**< backward's, shared */
} heed_attention;

#endif
