/** Private to kernels/: the end of a sublayer row by row (kernels.h), for whoever has rows in a near cache. */
#ifndef HEED_KERNELS_RESIDUAL_ROWS_H
#define HEED_KERNELS_RESIDUAL_ROWS_H

#include "kernels/dropout_rows.h"
#include "kernels/layer_norm_rows.h"

/** Row t. */
static inline void heed_residual_row(const heed_residual *r, int64_t t, int64_t width) {
  int64_t at = t * width;
  float *sum = r->sum + at;
  heed_row_draws draws = heed_row_draws_of(t, r->sequence_of, r->offsets, width, &r->dropout);
  heed_drop_row_onto(sum, sum, r->residual + at, width, &draws);
  if (r->gamma)
    heed_normalise_row(r->y + at, r->elements ? (heed_element *)r->elements + at : NULL, r->mean + t, r->rstd + t, sum, r->gamma, r->beta,
                       width, r->epsilon);
}

#endif
