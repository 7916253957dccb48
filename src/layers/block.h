/** A block: the sublayers that a model repeats, and what training keeps of them until backward (Chen et al. 2016, §3).
 *
 *  Forward of a block needs nothing of the blocks before but their output.  So what backward alone reads may be dropped and made again
 *  when backward comes to it: by the same kernels from the same input, with dropouts that are drawn from counters, hence with the same
 *  bits.  Of a block in training are kept, by plan->recompute,
 *
 *      none        all that forward saves
 *      attention   of sublayers that attend what their end writes: [T, C], and [T, C] more with a norm there; of others all
 *      block       [T, C] floats: the last sublayer's output, or with a norm behind it the sum from which that comes; such outputs
 *                  share one place
 *
 *  What is not kept lies over what is, where the next block writes: backward goes down the stack, so it makes it again over what is dead
 *  by then.  The product that ends a sublayer is made again only where its output is missing. */
#ifndef HEED_LAYERS_BLOCK_H
#define HEED_LAYERS_BLOCK_H

#include "layers/sublayer.h"

typedef struct heed_block {
  heed_sublayer *sublayers;
  int64_t count;               /**< two or more: with one, a shared output would be the input too */
  const heed_sublayer *before; /**< the last sublayer of the block before; NULL: this is the first */
} heed_block;

/** Plans the sublayers; `specs`: [count]. */
heed_status heed_block_plan(const heed_block *block, heed_plan *plan, const heed_sublayer_spec *specs);

/** Before the backward of sublayer i, from the last to the first: makes again what it reads and was not kept.  `input`: the block's. */
void heed_block_remake(const heed_context *context, heed_hidden input, const heed_block *block, int64_t i);

#endif
