/** The body of a residual sublayer: attention or feed-forward, chosen by a table of operations.
 *
 *  forward and backward are called by all threads of a parallel region. */
#ifndef HEED_LAYERS_BODY_H
#define HEED_LAYERS_BODY_H

#include "heed/config.h"
#include "layers/attention.h"
#include "layers/feed_forward.h"

typedef union heed_body {
  heed_attention attention;
  heed_feed_forward feed_forward;
} heed_body;

enum { HEED_BODY_NAMES = 4 };

/** What a body is planned from. */
typedef struct heed_body_spec {
  const heed_model_config *config;
  const char *prefix;        /**< begins the names of its parameters */
  const char *const *names;  /**< [HEED_BODY_NAMES] of its linear maps, below the prefix.  Feed-forward: up, down.  Attention: query, key,
                                  value, output; query alone, then NULL twice, where the three are one tensor */
  int64_t block;             /**< number of its block */
  double residual_deviation; /**< of the initial weights of its last map, which writes into the residual stream */
} heed_body_spec;

typedef struct heed_body_operations {
  /** Registers the parameters and takes numbers for dropouts. */
  heed_status (*plan)(heed_body *body, heed_plan *plan, const heed_body_spec *spec);
  /** Reserves what forward saves, of x and the parameters alone: it may be dropped, and made again before backward (block.h). */
  void (*plan_forward)(heed_body *body, heed_plan *plan);
  /** Reserves what only backward works on; it may be shared with other sublayers. */
  void (*plan_backward)(heed_body *body, heed_plan *plan);
  /** r->sum[T, C] = f(x[T, C]), and then what ends the sublayer, r (kernels.h); x: elements.  r NULL: only saves what backward reads. */
  void (*forward)(const heed_context *context, const heed_residual *r, const void *x, const heed_body *body);
  /** d_x = ∂f/∂xᵀ · d_y, or += with `add`, floats; d_y: elements.  Gradients of parameters are written, those of the source
   *  added. */
  void (*backward)(const heed_context *context, float *d_x, bool add, const void *d_y, const void *x, const heed_body *body);
  bool attends; /**< whether train.recompute: attention is meant for it */
} heed_body_operations;

extern const heed_body_operations heed_self_attention_body, heed_cross_attention_body, heed_feed_forward_body;

#endif
