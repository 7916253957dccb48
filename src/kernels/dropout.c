/* Dropout of token rows (Srivastava et al. 2014), its mask drawn from counters and never stored, with the residual added on the way.
 *
 *     y = residual + mask·scale·x,   dx = mask·scale·dy
 *
 * An element is named by its sequence's row in the global batch, its token in the sequence and its channel, so the mask does not
 * depend on what a sequence is packed with. */
#include <string.h>

#include "kernels/draws.h"
#include "kernels/element.h"
#include "kernels/level.h"
#include "kernels/vector_math.h"

enum { BLOCK = 1024 }; /* elements of a row that are converted at a time */

/** `counter`: of the row's first call. */
static void drop_row(float *y, const float *x, const float *residual, int64_t width, uint32_t counter, const heed_draws *draws) {
  for (int64_t first = 0; first < width; first += HEED_DRAWS) {
    float factor[HEED_DRAWS];
    heed_draw_factors(factor, counter + (uint32_t)(first / 8), draws);
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

/** No dropout: y = x, or x + residual. */
static void pass_row(float *y, const float *x, const float *residual, int64_t width) {
  if (residual) {
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
      y[c] = residual[c] + x[c];
  } else if (y != x) {
    memcpy(y, x, (size_t)width * sizeof *y);
  }
}

void HEED_KERNEL(dropout_forward)(float *y, const float *x, const float *residual, const int32_t *sequence_of, const int64_t *offsets,
                                  int64_t tokens, int64_t width, const heed_dropout *dropout) {
  uint32_t row_counters = (uint32_t)((width + 7) / 8);
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    const float *add = residual ? residual + t * width : NULL;
    if (dropout->threshold == 0) {
      pass_row(y + t * width, x + t * width, add, width);
      continue;
    }
    uint32_t sequence = (uint32_t)sequence_of[t], token = (uint32_t)(t - offsets[sequence]);
    heed_draws draws = heed_draws_of(dropout->first_row + sequence, dropout->site, dropout);
    drop_row(y + t * width, x + t * width, add, width, token * row_counters, &draws);
  }
}

/** One row of gradients: what a row of forward's, without a residual, makes of it. */
static void backward_row(float *y, const float *x, int64_t width, uint32_t counter, const heed_draws *draws) {
  if (draws->limit)
    drop_row(y, x, NULL, width, counter, draws);
  else
    pass_row(y, x, NULL, width);
}

void HEED_KERNEL(dropout_backward)(void *d_x, bool wide, const float *d_y, const int32_t *sequence_of, const int64_t *offsets,
                                   int64_t tokens, int64_t width, const heed_dropout *dropout) {
  uint32_t row_counters = (uint32_t)((width + 7) / 8);
  bool direct = wide || sizeof(heed_element) == sizeof(float);
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    uint32_t sequence = (uint32_t)sequence_of[t], token = (uint32_t)(t - offsets[sequence]);
    uint32_t counter = token * row_counters;
    heed_draws draws = heed_draws_of(dropout->first_row + sequence, dropout->site, dropout);
    if (direct) {
      backward_row((float *)d_x + t * width, d_y + t * width, width, counter, &draws);
      continue;
    }
    for (int64_t first = 0; first < width; first += BLOCK) { /* BLOCK is a multiple of 8 elements, a call of the counters */
      float part[BLOCK];
      int64_t count = heed_at_most(BLOCK, width - first);
      backward_row(part, d_y + t * width + first, count, counter + (uint32_t)(first / 8), &draws);
      heed_elements((heed_element *)d_x + t * width + first, part, count);
    }
  }
}
