/** Linear layer: y = x·Wᵀ + b, W [outputs, inputs] as in Hugging Face's nn.Linear. */
#ifndef HEED_LAYERS_LINEAR_H
#define HEED_LAYERS_LINEAR_H

#include "layers/context.h"

typedef struct heed_linear {
  int64_t inputs, outputs;
  int64_t weight, bias; /**< offsets in the flat block; bias −1: none */
} heed_linear;

/** What linear maps are planned from. */
typedef struct heed_linear_spec {
  int64_t inputs, outputs; /**< of one map */
  double deviation;        /**< of the initial weights */
  bool bias;
} heed_linear_spec;

/** Registers NAME.weight and NAME.bias for each of `parts` names: first all weights, then all biases, so that linear maps of the same
 *  input (query, key and value) are one product on one block of parts · outputs rows. */
heed_status heed_linear_plan(heed_linear *linear, heed_plan *plan, const char *const *names, int parts, const heed_linear_spec *spec);

/* Below: called by all threads of a parallel region. */

/** y[T, outputs] = x[T, inputs]·Wᵀ + b. */
void heed_linear_forward(const heed_context *context, float *y, const float *x, const heed_linear *linear, heed_rows rows);

/** d_x = d_y·W, or += with `add`; d_W += d_yᵀ·x; d_b += Σ d_y. */
void heed_linear_backward(const heed_context *context, float *d_x, bool add, const float *d_y, const float *x, const heed_linear *linear,
                          heed_rows rows);

#endif
