/** Private to kernels/: the one door to OpenBLAS. */
#ifndef HEED_KERNELS_PRODUCT_H
#define HEED_KERNELS_PRODUCT_H

#include <cblas.h>
#include <string.h>

#include "base/cast.h"
#include "kernels/level.h"

/** A matrix that is read: rows `stride` floats apart; `transposed` reads its columns as rows. */
typedef struct heed_operand {
  const float *at;
  int64_t stride;
  bool transposed;
} heed_operand;

static inline heed_operand heed_plain(const float *at, int64_t stride) {
  return (heed_operand){at, stride, false};
}
static inline heed_operand heed_transposed(const float *at, int64_t stride) {
  return (heed_operand){at, stride, true};
}

/** c[m, n] = (add ? c : 0) + alpha · a[m, k] · b[k, n], serial.
 *  c is cleared here and then always added to: OpenBLAS's own clearing (beta = 0) takes up to a third of the time of a small product. */
static inline void heed_product(float *c, int64_t c_stride, bool add, float alpha, heed_operand a, heed_operand b, int64_t m, int64_t n,
                                int64_t k) {
  for (int64_t row = 0; !add && row < m; row++)
    memset(c + row * c_stride, 0, (size_t)n * sizeof *c);
  if (m > 0 && n > 0 && k > 0)
    cblas_sgemm(CblasRowMajor, a.transposed ? CblasTrans : CblasNoTrans, b.transposed ? CblasTrans : CblasNoTrans, heed_int(m), heed_int(n),
                heed_int(k), alpha, a.at, heed_int(a.stride), b.at, heed_int(b.stride), 1.0f, c, heed_int(c_stride));
}

#endif
