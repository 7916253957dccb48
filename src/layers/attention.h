/** Multi-head attention over ragged sequences (Vaswani et al. 2017, §3.2).
 *
 *  There is one: queries come from the rows it is given, keys and values from the same rows (self-attention) or from another stream
 *  (cross-attention).  A band says which keys a query sees: all, those before it, those within a window. */
#ifndef HEED_LAYERS_ATTENTION_H
#define HEED_LAYERS_ATTENTION_H

#include "layers/linear.h"

/** attended = concat over heads of softmax(q·kᵀ/√D)·v, with q = x·W_qᵀ + b, and k, v likewise of x or of the source;
 *  out = attended·W_oᵀ + b. */
typedef struct heed_attention {
  int64_t heads, head_width; /* H of this part, D */
  int64_t first_head;        /**< the number of the part's first */
  double dropout;            /**< of the attention weights */
  int64_t number;            /**< which attention of the model, from 0 */
  uint32_t site;
  int64_t behind, ahead; /**< the band (kernels.h) */
  bool cross, rotary;
  size_t turns; /**< table of rotary positions, [max_positions, D] */

  heed_linear input, output; /**< input: of queries, keys and values together; in cross-attention of queries */
  heed_linear key_value;     /**< cross-attention: of keys and values, from the source */
  size_t queries, keys;      /**< saved, elements: [T, 3C], keys within them; in cross-attention [T, C] and, of the source, [T, 2C] */
  size_t lse, attended;      /**< saved: [T, H]; [T, C], elements */
  size_t d_queries, d_keys;  /**< backward's, shared, as queries and keys */
  size_t d_attended;         /**< backward's, shared: [T, C], elements */
  size_t cache;              /**< in the cache's arena: [B · cache_tokens, 2C] */
} heed_attention;

#endif
