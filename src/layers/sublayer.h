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
  int64_t first_parameter; /**< where its own begin in the flat block */
  uint32_t site;
  size_t inner;        /**< saved, [T, C]: the sum, floats (post-norm), or the normalised input, elements (pre-norm) */
  size_t out;          /**< [T, C] */
  size_t elements;     /**< post-norm: out as elements */
  size_t d_body;       /**< backward's, shared: [T, C], elements */
  size_t d_normalised; /**< backward's, shared, pre-norm: [T, C] */
} heed_sublayer;

typedef struct heed_sublayer_spec {
  const heed_body_operations *operations;
  heed_body_spec body;
  heed_sublayer_form form;
  const char *norm; /**< name of the layer norm */
} heed_sublayer_spec;

/** Registers the parameters and takes numbers for the dropouts. */
heed_status heed_sublayer_plan(heed_sublayer *sublayer, heed_plan *plan, const heed_sublayer_spec *spec);

/** Then reserves what the end of forward writes: the output and, in training with a post-norm, what backward of the norm reads.  That norm
 *  can make the output again, so with `other` it goes where that sublayer's is, post-norm too; NULL: it has a place of its own. */
void heed_sublayer_plan_end(heed_sublayer *sublayer, heed_plan *plan, const heed_sublayer *other);

/** Then what else it saves, and over that what backward works on; what is reserved next takes the place of the latter, and unless `kept` of
 *  both. */
void heed_sublayer_plan_saved(heed_sublayer *sublayer, heed_plan *plan, bool kept);

/** Computes the output [T, C], which stays in the sublayer's own buffers and is returned; only norms give elements.  Opens its parallel
 *  region. */
heed_hidden heed_sublayer_forward(const heed_context *context, heed_hidden x, const heed_sublayer *sublayer);

/** The output of the last forward. */
heed_hidden heed_sublayer_output(const heed_context *context, const heed_sublayer *sublayer);

/** Makes again what forward saved and was not kept: all before the end, whose product is not needed.  Opens its parallel region. */
void heed_sublayer_remake_saved(const heed_context *context, heed_hidden x, const heed_sublayer *sublayer);

/** Makes the output again, post-norm, of the sum, where another sublayer's took its place; without that norm it is as forward left it.
 *  Opens its parallel region. */
void heed_sublayer_remake_output(const heed_context *context, const heed_sublayer *sublayer);

/** `gradient` [T, C] is the output's on entry and the input's on return.  Opens its parallel region. */
void heed_sublayer_backward(const heed_context *context, float *gradient, heed_hidden x, const heed_sublayer *sublayer);

#endif
