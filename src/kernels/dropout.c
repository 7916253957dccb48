/* Dropout of token rows (Srivastava et al. 2014), its mask drawn from counters and never stored, with the residual added on the way.
 *
 *     y = residual + mask·scale·x,   dx = mask·scale·dy
 *
 * An element is named by its sequence's row in the global batch, its token in the sequence and its channel, so the mask does not
 * depend on what a sequence is packed with. */
#include "kernels/dropout_rows.h"

void HEED_KERNEL(dropout_forward)(float *y, const float *x, const float *residual, const int32_t *sequence_of, const int64_t *offsets,
                                  int64_t tokens, int64_t width, const heed_dropout *dropout) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    heed_row_draws draws = heed_row_draws_of(t, sequence_of, offsets, width, dropout);
    heed_drop_row_onto(y + t * width, x + t * width, residual + t * width, width, &draws);
  }
}

void HEED_KERNEL(dropout_backward)(void *d_x, const float *d_y, const int32_t *sequence_of, const int64_t *offsets, int64_t tokens,
                                   int64_t width, const heed_dropout *dropout) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    heed_row_draws draws = heed_row_draws_of(t, sequence_of, offsets, width, dropout);
    heed_drop_row_to_elements((heed_element *)d_x + t * width, d_y + t * width, width, &draws);
  }
}
