/* The table of one instruction level. */
#include "kernels/column_sums.h"
#include "kernels/element.h"
#include "kernels/level.h"

static int64_t scratch_floats(int64_t slices, int64_t longest, int64_t head_width, int64_t width) {
  int64_t floats = HEED_KERNEL(linear_scratch)(slices, width);
  floats = heed_at_least(floats, heed_column_sums_scratch(slices)); /* of norms */
  floats = heed_at_least(floats, HEED_KERNEL(embedding_scratch)(slices));
  floats = heed_at_least(floats, HEED_KERNEL(attention_scratch)(longest, head_width));
  return heed_in_lanes(floats); /* so that the scratch of the next thread is aligned too */
}

extern const heed_kernels HEED_KERNEL(kernels), HEED_BF16_KERNELS;

const heed_kernels HEED_KERNEL(kernels) = {
    .isa = HEED_ISA,
    .element_bytes = sizeof(heed_element),
    .bf16 = &HEED_BF16_KERNELS,
    .scratch_floats = scratch_floats,
    .linear_workspace = HEED_KERNEL(linear_workspace),
    .linear_panels = HEED_KERNEL(linear_panels),
    .linear_pack = HEED_KERNEL(linear_pack),
    .linear_forward = HEED_KERNEL(linear_forward),
    .linear_activation_forward = HEED_KERNEL(linear_activation_forward),
    .linear_residual_forward = HEED_KERNEL(linear_residual_forward),
    .linear_backward_input = HEED_KERNEL(linear_backward_input),
    .linear_activation_backward_input = HEED_KERNEL(linear_activation_backward_input),
    .linear_backward_weight = HEED_KERNEL(linear_backward_weight),
    .layer_norm_forward = HEED_KERNEL(layer_norm_forward),
    .layer_norm_workspace = HEED_KERNEL(layer_norm_workspace),
    .layer_norm_backward = HEED_KERNEL(layer_norm_backward),
    .residual_forward = HEED_KERNEL(residual_forward),
    .residual_backward = HEED_KERNEL(residual_backward),
    .residual_norm_backward = HEED_KERNEL(residual_norm_backward),
    .activation_backward = HEED_KERNEL(activation_backward),
    .tanh_forward = HEED_KERNEL(tanh_forward),
    .tanh_backward = HEED_KERNEL(tanh_backward),
    .gated_forward = HEED_KERNEL(gated_forward),
    .gated_backward = HEED_KERNEL(gated_backward),
    .rotary = HEED_KERNEL(rotary),
    .embedding_forward = HEED_KERNEL(embedding_forward),
    .embedding_norm_backward = HEED_KERNEL(embedding_norm_backward),
    .embedding_sort = HEED_KERNEL(embedding_sort),
    .embedding_backward = HEED_KERNEL(embedding_backward),
    .gather_rows = HEED_KERNEL(gather_rows),
    .scatter_rows = HEED_KERNEL(scatter_rows),
    .softmax_cross_entropy = HEED_KERNEL(softmax_cross_entropy),
    .softmax_sums = HEED_KERNEL(softmax_sums),
    .softmax_cross_entropy_of_parts = HEED_KERNEL(softmax_cross_entropy_of_parts),
    .attention_forward = HEED_KERNEL(attention_forward),
    .attention_backward = HEED_KERNEL(attention_backward),
    .attention_weights = HEED_KERNEL(attention_weights),
    .attention_entropy = HEED_KERNEL(attention_entropy),
    .square_sum = HEED_KERNEL(square_sum),
    .adamw = HEED_KERNEL(adamw),
    .lamb_direction = HEED_KERNEL(lamb_direction),
    .lamb_apply = HEED_KERNEL(lamb_apply),
    .add = HEED_KERNEL(add),
    .narrow = HEED_KERNEL(narrow),
    .widen = HEED_KERNEL(widen),
};
