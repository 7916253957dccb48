/** A stack: the embedding of a stream, the blocks that it goes through, and the norm behind the last of them. */
#ifndef HEED_MODELS_STACK_H
#define HEED_MODELS_STACK_H

#include "layers/embedding.h"
#include "layers/sublayer.h"
#include "models/family.h"

typedef struct heed_stack {
  const heed_model_config *config;    /**< borrowed */
  size_t waves, rotary, rotary_local; /**< fixed tables of positions */
  heed_embedding embedding;
  heed_sublayer *sublayers;
  int64_t sublayer_count, block_sublayers; /**< of all blocks, of one */
  int64_t behind;                          /**< first parameter behind the stack's: the table's order is the data's */
  bool has_final_norm;
  heed_layer_norm final_norm;
  size_t normed; /**< [T, C], the final norm's output */
} heed_stack;

/** Registers the parameters and reserves what is saved.  `config` is borrowed.  To be freed after an error too.
 *  Errors: HEED_FAILED when memory is short; those of the layers. */
heed_status heed_stack_plan(heed_stack *stack, heed_plan *plan, const heed_model_config *config, const heed_family *family);
void heed_stack_free(heed_stack *stack);

/** Fills the fixed tables of positions, once the arena is there. */
void heed_stack_fill(const heed_stack *stack, const heed_arena *arena);

/** Computes the output [T, C], which stays in the stack's own buffers and is returned.  Opens its parallel regions. */
heed_hidden heed_stack_forward(const heed_context *context, const heed_stack *stack);

/** During backward: the gradients of all parameters from element `first` of the flat block on, and the second ones of tied tensors, are
 * final. `first` falls to 0 from call to call, which come between parallel regions. */
typedef void heed_gradients_ready(void *self, int64_t first);

/** `gradient` [T, C] of the output; used up.  Opens its parallel regions.  \param[in] ready  called with `self` as gradients become final;
 * NULL: nobody is told */
void heed_stack_backward(const heed_context *context, float *gradient, const heed_stack *stack, heed_gradients_ready *ready, void *self);

#endif
