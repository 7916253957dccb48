/** Residual sublayer: a body with dropout, added to its input and normalised (Vaswani et al. 2017, §3.1 and §5.4).
 *
 *      post-norm:  sum = x + dropout(f(x)),  out = layer_norm(sum) */
#ifndef HEED_LAYERS_SUBLAYER_H
#define HEED_LAYERS_SUBLAYER_H

#include "layers/body.h"
#include "layers/layer_norm.h"

typedef struct heed_sublayer {
  const heed_body_operations *operations;
  heed_body body;
  heed_layer_norm norm;
  double dropout;
  uint32_t site;
  size_t sum, out; /**< saved: [T, C] each */
  size_t d_body;   /**< backward's, shared: [T, C] */
} heed_sublayer;

/** `prefix` begins the names of the body's parameters; `norm` is the name of the layer norm. */
heed_status heed_sublayer_plan(heed_sublayer *sublayer, heed_plan *plan, const heed_body_operations *operations,
                               const heed_model_config *config, const char *prefix, const char *norm);

/** Computes the output [T, C], which stays in the sublayer's own buffer and is returned.  Opens its parallel region. */
const float *heed_sublayer_forward(const heed_context *context, const float *x, const heed_sublayer *sublayer);

/** `gradient` [T, C] is the output's on entry and the input's on return.  Opens its parallel region. */
void heed_sublayer_backward(const heed_context *context, float *gradient, const float *x, const heed_sublayer *sublayer);

#endif
