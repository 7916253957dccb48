/** Residual sublayer: a body with dropout, added to its input.
 *
 *      post-norm:  sum = x + dropout(f(x)),  out = layer_norm(sum)      (Vaswani et al. 2017, §3.1 and §5.4)
 *      pre-norm:   out = x + dropout(f(layer_norm(x)))                  (Xiong et al. 2020)
 *      no norm:    out = x + dropout(f(x)) */
#ifndef HEED_LAYERS_SUBLAYER_H
#define HEED_LAYERS_SUBLAYER_H

#include "layers/body.h"
#include "layers/layer_norm.h"

typedef enum heed_sublayer_form { HEED_SUBLAYER_POST_NORM, HEED_SUBLAYER_PRE_NORM, HEED_SUBLAYER_NO_NORM } heed_sublayer_form;

typedef struct heed_sublayer {
  const heed_body_operations *operations;
  heed_body body;
  heed_sublayer_form form;
  heed_layer_norm norm;
  double dropout;
  int64_t width;
  uint32_t site;
  size_t inner;        /**< saved, [T, C]: the sum, floats (post-norm), or the normalised input, elements (pre-norm) */
  size_t out;          /**< saved, [T, C] */
  size_t elements;     /**< saved, post-norm: out as elements */
  size_t d_body;       /**< backward's, shared: [T, C], elements */
  size_t d_normalised; /**< backward's, shared, pre-norm: [T, C] */
} heed_sublayer;

typedef struct heed_sublayer_spec {
  const heed_body_operations *operations;
  heed_body_spec body;
  heed_sublayer_form form;
  const char *norm; /**< name of the layer norm */
} heed_sublayer_spec;

heed_status heed_sublayer_plan(heed_sublayer *sublayer, heed_plan *plan, const heed_sublayer_spec *spec);

/** Computes the output [T, C], which stays in the sublayer's own buffers and is returned; only norms give elements.  Opens its parallel
 *  region. */
heed_hidden heed_sublayer_forward(const heed_context *context, heed_hidden x, const heed_sublayer *sublayer);

/** The output of the last forward. */
heed_hidden heed_sublayer_output(const heed_context *context, const heed_sublayer *sublayer);

/** `gradient` [T, C] is the output's on entry and the input's on return.  Opens its parallel region. */
void heed_sublayer_backward(const heed_context *context, float *gradient, heed_hidden x, const heed_sublayer *sublayer);

#endif
