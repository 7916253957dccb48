/* Layer normalisation (Ba et al. 2016, eq. 4).
 *
 *     forward    x̂ = (x − mean)·rstd,  y = x̂·γ + β
 *     backward   dβ = Σ dy,  dγ = Σ dy·x̂,  dx = rstd·(γ·dy − mean_c(γ·dy) − x̂·mean_c(γ·dy·x̂))
 *
 * Mean and variance take two passes over the row, which is in cache then: Σ x² − mean² would cancel. */
#include "kernels/layer_norm_rows.h"

void HEED_KERNEL(layer_norm_forward)(float *y, void *elements, float *mean, float *rstd, const float *x, const float *gamma,
                                     const float *beta, int64_t tokens, int64_t width, float epsilon) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++)
    heed_normalise_row(y ? y + t * width : NULL, elements ? (heed_element *)elements + t * width : NULL, mean + t, rstd + t, x + t * width,
                       gamma, beta, width, epsilon);
}

int64_t HEED_KERNEL(layer_norm_workspace)(int64_t rows, int64_t slices, int64_t width) {
  return heed_row_blocks_room(rows, slices) * 2 * width;
}

void HEED_KERNEL(layer_norm_backward)(float *d_x, bool add, float *d_gamma, float *d_beta, const float *d_y, const float *x,
                                      const float *mean, const float *rstd, const float *gamma, const int64_t *starts, int64_t slices,
                                      int64_t width, float *workspace, float *scratch) {
  heed_norm_backward n = {d_x, d_y, x, mean, rstd, gamma, width};
  heed_norm_backward_blocks(&n, add, NULL, NULL, NULL, d_gamma, d_beta, starts, slices, workspace, scratch);
}
