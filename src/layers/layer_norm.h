/** Layer normalisation with a gain γ and a shift β (Ba et al. 2016). */
#ifndef HEED_LAYERS_LAYER_NORM_H
#define HEED_LAYERS_LAYER_NORM_H

#include "heed/config.h"
#include "layers/context.h"

typedef struct heed_layer_norm {
  int64_t width;
  float epsilon;
  int64_t gamma, beta; /**< offsets in the flat block; beta −1: none */
  size_t mean, rstd;   /**< saved, [rows] each */
} heed_layer_norm;

/** Registers NAME.weight (γ, ones) and, with model.biases, NAME.bias (β, zeros). */
heed_status heed_layer_norm_register(heed_layer_norm *norm, heed_plan *plan, const char *name, const heed_model_config *config);

/** Reserves what forward saves and backward works on; `rows` is the most rows of a call. */
void heed_layer_norm_reserve(heed_layer_norm *norm, heed_plan *plan, int64_t rows);

/** Both. */
heed_status heed_layer_norm_plan(heed_layer_norm *norm, heed_plan *plan, const char *name, const heed_model_config *config, int64_t rows);

/* Below: called by all threads of a parallel region. */

/** y and `elements`: what is asked for; in fp32 they may be one. */
void heed_layer_norm_forward(const heed_context *context, float *y, void *elements, const float *x, const heed_layer_norm *norm,
                             heed_rows rows);

/** d_x is written, or added to with `add`, and may be d_y's memory; d_γ, d_β are written. */
void heed_layer_norm_backward(const heed_context *context, float *d_x, bool add, const float *d_y, const float *x,
                              const heed_layer_norm *norm, heed_rows rows);

#endif
