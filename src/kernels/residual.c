/* The end of a sublayer (Vaswani et al. 2017, §5.4; Srivastava et al. 2014): dropout, its mask drawn from counters and never stored, the
 * residual, and in a post-norm sublayer the norm; rows are read once each way.
 *
 *     forward    sum = residual + mask·scale·sum,  y = norm(sum)
 *     backward   d_residual = ∂norm/∂sumᵀ · dy, or dy without a norm;  dx = mask·scale·d_residual
 *
 * An element is named by its sequence's row in the global batch, its token in the sequence and its channel, so the mask does not
 * depend on what a sequence is packed with. */
#include "kernels/residual_rows.h"

void HEED_KERNEL(residual_forward)(const heed_residual *r, int64_t tokens, int64_t width) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++)
    heed_residual_row(r, t, width);
}

void HEED_KERNEL(residual_backward)(void *d_x, const float *d_y, const int32_t *sequence_of, const int64_t *offsets, int64_t tokens,
                                    int64_t width, const heed_dropout *dropout) {
  heed_dropped_rows rows = {d_x, d_y, sequence_of, offsets, width, dropout};
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++)
    heed_drop_rows_to_elements(&rows, t, t + 1);
}

void HEED_KERNEL(residual_norm_backward)(float *d_residual, void *d_x, float *d_gamma, float *d_beta, const float *d_y, const float *sum,
                                         const float *mean, const float *rstd, const float *gamma, const int32_t *sequence_of,
                                         const int64_t *offsets, const int64_t *starts, int64_t slices, int64_t width,
                                         const heed_dropout *dropout, float *workspace, float *scratch) {
  heed_norm_backward n = {d_residual, d_y, sum, mean, rstd, gamma, width};
  heed_dropped_rows rows = {d_x, d_residual, sequence_of, offsets, width, dropout};
  heed_norm_backward_blocks(&n, false, NULL, heed_drop_rows_to_elements, &rows, d_gamma, d_beta, starts, slices, workspace, scratch);
}
