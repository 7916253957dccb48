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
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    heed_row_draws draws = heed_row_draws_of(t, sequence_of, offsets, width, dropout);
    heed_drop_row_to_elements((heed_element *)d_x + t * width, d_y + t * width, width, &draws);
  }
}

void HEED_KERNEL(residual_norm_backward)(float *d_residual, void *d_x, float *d_gamma, float *d_beta, const float *d_y, const float *sum,
                                         const float *mean, const float *rstd, const float *gamma, const int32_t *sequence_of,
                                         const int64_t *offsets, const int64_t *starts, int64_t slices, int64_t width,
                                         const heed_dropout *dropout, float *workspace, float *scratch) {
  heed_norm_backward n = {d_residual, d_y, sum, mean, rstd, gamma, width};
  heed_block_walk walk = {0};
#pragma omp for schedule(static)
  for (int64_t block = 0; block < heed_row_blocks(starts, slices); block++) {
    float *sums = heed_norm_block_sums(workspace, block, width);
    heed_walk_to_block(&walk, block, starts);
    for (int64_t t = walk.first; t < walk.end; t += HEED_NORM_ROWS) {
      int64_t stop = heed_at_most(walk.end, t + HEED_NORM_ROWS);
      heed_norm_backward_rows(&n, false, sums, t, stop - t);
      for (int64_t r = t; r < stop; r++) {
        heed_row_draws draws = heed_row_draws_of(r, sequence_of, offsets, width, dropout);
        heed_drop_row_to_elements((heed_element *)d_x + r * width, d_residual + r * width, width, &draws);
      }
    }
  }
  heed_norm_add_blocks(d_gamma, d_beta, workspace, starts, slices, width, scratch);
}
