/** Private to kernels/: dropout of one row of tokens, its draws named as kernels.h says. */
#ifndef HEED_KERNELS_DROPOUT_ROWS_H
#define HEED_KERNELS_DROPOUT_ROWS_H

#include <string.h>

#include "kernels/draws.h"
#include "kernels/element.h"
#include "kernels/level.h"
#include "kernels/vector_math.h"

/** The draws of a token's row; limit 0: no dropout. */
typedef struct heed_row_draws {
  heed_draws draws;
  uint32_t counter; /* of the row's first call */
} heed_row_draws;

static inline heed_row_draws heed_row_draws_of(int64_t token, const int32_t *sequence_of, const int64_t *offsets, int64_t width,
                                               const heed_dropout *dropout) {
  if (dropout->threshold == 0)
    return (heed_row_draws){0};
  uint32_t sequence = (uint32_t)sequence_of[token], row_counters = (uint32_t)((width + 7) / 8);
  return (heed_row_draws){heed_draws_of(dropout->first_row + sequence, dropout->site, dropout),
                          (uint32_t)(token - offsets[sequence]) * row_counters};
}

/** y = residual + dropout(x), or dropout(x) where residual is NULL; y may be x's memory, or residual's. */
static inline void heed_drop_row_onto(float *y, const float *x, const float *residual, int64_t width, const heed_row_draws *d) {
  if (d->draws.limit == 0 && !residual) {
    if (y != x)
      memcpy(y, x, (size_t)width * sizeof *y);
    return;
  }
  if (d->draws.limit == 0) {
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
      y[c] = residual[c] + x[c];
    return;
  }
  for (int64_t first = 0; first < width; first += HEED_DRAWS) {
    float factor[HEED_DRAWS];
    heed_draw_factors(factor, d->counter + (uint32_t)(first / 8), &d->draws);
    int64_t count = heed_at_most(HEED_DRAWS, width - first);
    if (residual) {
#pragma omp simd
      for (int64_t i = 0; i < count; i++)
        y[first + i] = heed_fma(x[first + i], factor[i], residual[first + i]);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < count; i++)
        y[first + i] = x[first + i] * factor[i];
    }
  }
}

/** y = dropout(x); y may be x's memory. */
static inline void heed_drop_row(float *y, const float *x, int64_t width, const heed_row_draws *d) {
  heed_drop_row_onto(y, x, NULL, width, d);
}

/** Likewise, as elements; apart from x. */
static inline void heed_drop_row_to_elements(heed_element *y, const float *x, int64_t width, const heed_row_draws *d) {
  if (sizeof *y == sizeof(float)) {
    heed_drop_row((float *)(void *)y, x, width, d);
    return;
  }
  if (d->draws.limit == 0) {
    heed_elements(y, x, width);
    return;
  }
  for (int64_t first = 0; first < width; first += HEED_DRAWS) {
    float part[HEED_DRAWS];
    heed_draw_factors(part, d->counter + (uint32_t)(first / 8), &d->draws);
    int64_t count = heed_at_most(HEED_DRAWS, width - first);
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
      part[i] *= x[first + i];
    heed_elements(y + first, part, count);
  }
}

/** Rows of a stream, dropped from on their way. */
typedef struct heed_dropped_rows {
  void *to; /* floats, or elements */
  const float *from;
  const int32_t *sequence_of;
  const int64_t *offsets;
  int64_t width;
  const heed_dropout *dropout;
} heed_dropped_rows;

/** Rows [first, end), as floats and as elements; `rows`: heed_dropped_rows. */
static inline void heed_drop_rows(const void *rows, int64_t first, int64_t end) {
  const heed_dropped_rows *d = rows;
  for (int64_t t = first; t < end; t++) {
    heed_row_draws draws = heed_row_draws_of(t, d->sequence_of, d->offsets, d->width, d->dropout);
    heed_drop_row((float *)d->to + t * d->width, d->from + t * d->width, d->width, &draws);
  }
}
static inline void heed_drop_rows_to_elements(const void *rows, int64_t first, int64_t end) {
  const heed_dropped_rows *d = rows;
  for (int64_t t = first; t < end; t++) {
    heed_row_draws draws = heed_row_draws_of(t, d->sequence_of, d->offsets, d->width, d->dropout);
    heed_drop_row_to_elements((heed_element *)d->to + t * d->width, d->from + t * d->width, d->width, &draws);
  }
}

#endif
