/** Private to kernels/: a few rows of floats by weights where they lie, as when text is made token by token.
 *
 *      c[r, i] = Σ_d x[r, d] · w[i, d]
 *
 *  To pack weights that few rows pass by costs more than the product.  Here squares of them are transposed in registers and used there;
 *  a sum goes over depth from the first to the last, so it has the bits that a panel gives (block.h). */
#ifndef HEED_KERNELS_FEW_ROWS_H
#define HEED_KERNELS_FEW_ROWS_H

#include "kernels/block.h"

/** Rows: with more of them panels are worth packing. */
enum { HEED_FEWEST = 4 };

#ifdef __AVX512F__
typedef heed_words heed_square[16];
static inline __attribute__((always_inline)) void heed_square_transpose(heed_words square[16]) {
  heed_transpose(square);
}
#else
typedef heed_few_words heed_square[HEED_VECTOR];
static inline __attribute__((always_inline)) void heed_square_transpose(heed_few_words square[HEED_VECTOR]) {
  heed_transpose_few(square);
}
#endif

/** Places [d, d + count) in depth of `columns` ≤ HEED_VECTOR rows of w, turned; what is not there is 0. */
static inline __attribute__((always_inline)) void heed_square_load(heed_square square, const float *w, int64_t stride, int64_t columns,
                                                                   int64_t count) {
  if (columns == HEED_VECTOR && count == HEED_VECTOR) {
#pragma GCC unroll 16
    for (int i = 0; i < HEED_VECTOR; i++)
      memcpy(&square[i], w + i * stride, sizeof square[i]);
  } else {
    memset(square, 0, sizeof(heed_square));
    for (int64_t i = 0; i < columns; i++)
      memcpy(&square[i], w + i * stride, (size_t)count * sizeof *w);
  }
  heed_square_transpose(square);
}

/** One vector of columns.  `rows` is a constant where it is called. */
static inline __attribute__((always_inline)) void heed_few_rows_vector(float *c, const float *x, int64_t x_stride, const float *w,
                                                                       int64_t stride, int64_t columns, int64_t depth, const int rows) {
  heed_vector sum[HEED_FEWEST] = {{0}};
  for (int64_t d = 0; d < depth; d += HEED_VECTOR) {
    const int64_t count = heed_at_most(HEED_VECTOR, depth - d);
    heed_square square;
    heed_square_load(square, w + d, stride, columns, count);
    if (count == HEED_VECTOR) {
#pragma GCC unroll 16
      for (int i = 0; i < HEED_VECTOR; i++)
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
          sum[r] = heed_vector_fma(heed_vector_of(x[r * x_stride + d + i]), (heed_vector)square[i], sum[r]);
    } else {
      for (int64_t i = 0; i < count; i++)
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
          sum[r] = heed_vector_fma(heed_vector_of(x[r * x_stride + d + i]), (heed_vector)square[i], sum[r]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < rows; r++)
    memcpy(c + r * HEED_PANEL, &sum[r], sizeof sum[r]);
}

/** c[rows, HEED_PANEL] of `columns` ≤ HEED_PANEL rows of w, which are `stride` apart; rows ≤ HEED_FEWEST. */
static inline void heed_few_rows(float *c, const float *x, int64_t x_stride, int64_t rows, const float *w, int64_t stride, int64_t columns,
                                 int64_t depth) {
  for (int64_t i = 0; i < columns; i += HEED_VECTOR) {
    const float *from = w + i * stride;
    const int64_t some = heed_at_most(HEED_VECTOR, columns - i);
    switch (rows) {
    case 1:
      heed_few_rows_vector(c + i, x, x_stride, from, stride, some, depth, 1);
      break;
    case 2:
      heed_few_rows_vector(c + i, x, x_stride, from, stride, some, depth, 2);
      break;
    case 3:
      heed_few_rows_vector(c + i, x, x_stride, from, stride, some, depth, 3);
      break;
    case HEED_FEWEST:
      heed_few_rows_vector(c + i, x, x_stride, from, stride, some, depth, HEED_FEWEST);
    }
  }
}

#endif
