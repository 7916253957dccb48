/** Linear layer: y = x·Wᵀ + b, W [outputs, inputs] as in Hugging Face's nn.Linear.
 *
 *  With tensor parallelism a rank holds a part of some maps (Shoeybi et al. 2019, §3): of one that is split by outputs it makes its part of
 *  y from the whole of x, and of the one behind it, split by inputs, a share of the whole y from its part of x.  Only two functions differ
 *  then: they are taken from a table. */
#ifndef HEED_LAYERS_LINEAR_H
#define HEED_LAYERS_LINEAR_H

#include "layers/context.h"

typedef struct heed_linear heed_linear;

/** What depends on how a map is split. */
typedef struct heed_linear_operations {
  void (*residual_forward)(const heed_context *context, const heed_residual *r, const void *x, const heed_linear *linear, heed_rows rows);
  void (*backward_input)(const heed_context *context, void *d_x, bool wide, bool add, const void *d_y, const heed_linear *linear,
                         heed_rows rows);
} heed_linear_operations;

struct heed_linear {
  const heed_linear_operations *operations;
  int64_t inputs, outputs; /**< of this part */
  int64_t weight, bias;    /**< offsets in the flat block; bias −1: none */
  int64_t panels;          /**< their number (panels.h); −1: none */
};

typedef enum heed_linear_split {
  HEED_SPLIT_NOTHING,
  HEED_SPLIT_OUTPUTS, /**< d_x is added up over the parts, and therefore wide; forward does not end a sublayer */
  HEED_SPLIT_INPUTS   /**< y is added up over the parts, and the bias once: forward is residual_forward alone */
} heed_linear_split;

/** What linear maps are planned from. */
typedef struct heed_linear_spec {
  int64_t inputs, outputs; /**< of one map, whole */
  double deviation;        /**< of the initial weights */
  bool bias;
  heed_linear_split split;
  int64_t runs; /**< split by outputs: which are so many runs, each of which is split (parameters.h) */
} heed_linear_spec;

/** Registers NAME.weight and NAME.bias for each of `parts` names: first all weights, then all biases, so that linear maps of the same
 *  input (query, key and value) are one product on one block of parts · outputs rows. */
heed_status heed_linear_plan(heed_linear *linear, heed_plan *plan, const char *const *names, int parts, const heed_linear_spec *spec);

/** Plans a map whose weight is registered already, at `weight` of the flat block, for at most so many rows.  It has no bias yet. */
heed_status heed_linear_plan_tied(heed_linear *linear, heed_plan *plan, const heed_linear_spec *spec, int64_t weight, int64_t rows);

/** Sees that the workspace suffices for a map of at most so many rows.  heed_linear_plan does it for tokens. */
void heed_linear_plan_rows(heed_plan *plan, const heed_linear *linear, int64_t rows);

/* Below: called by all threads of a parallel region.  x, y and their gradients are elements; floats when `wide`. */

/** y[T, outputs] = x[T, inputs]·Wᵀ + b. */
void heed_linear_forward(const heed_context *context, void *y, bool wide, const void *x, const heed_linear *linear, heed_rows rows);

/** after = act(x·Wᵀ + b), slopes = act′(x·Wᵀ + b); slopes NULL: nobody wants them. */
void heed_linear_activation_forward(const heed_context *context, void *after, bool wide, void *slopes, const void *x, heed_form form,
                                    const heed_linear *linear, heed_rows rows);

/** r->sum = x·Wᵀ + b, and then what ends a sublayer (kernels.h). */
void heed_linear_residual_forward(const heed_context *context, const heed_residual *r, const void *x, const heed_linear *linear,
                                  heed_rows rows);

/** d_x = d_y·W, or += with `add`, which wants `wide`. */
void heed_linear_backward_input(const heed_context *context, void *d_x, bool wide, bool add, const void *d_y, const heed_linear *linear,
                                heed_rows rows);

/** d_before = (d_y·W)·slopes. */
void heed_linear_activation_backward_input(const heed_context *context, void *d_before, const void *d_y, const void *slopes,
                                           const heed_linear *linear, heed_rows rows);

/** d_W = d_yᵀ·x; d_b = Σ d_y. */
void heed_linear_backward_weight(const heed_context *context, const void *d_y, const void *x, const heed_linear *linear, heed_rows rows);

#endif
