#include "measure/gemm_peer.h"

#include <cblas.h>

#include "base/cast.h"

enum { ROWS = 256, COLUMNS = 512 }; /* of a tile: large enough for OpenBLAS to be at its best, small enough to share out */

static int64_t at_most(int64_t a, int64_t b) {
  return a < b ? a : b;
}

void heed_gemm_peer(float *c, const float *a, bool a_turned, const float *b, bool b_turned, int64_t m, int64_t n, int64_t k) {
  const int64_t across = (n + COLUMNS - 1) / COLUMNS, tiles = (m + ROWS - 1) / ROWS * across;
#pragma omp parallel for schedule(dynamic)
  for (int64_t tile = 0; tile < tiles; tile++) {
    int64_t row = tile / across * ROWS, column = tile % across * COLUMNS;
    cblas_sgemm(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans, b_turned ? CblasTrans : CblasNoTrans, heed_int(at_most(ROWS, m - row)),
                heed_int(at_most(COLUMNS, n - column)), heed_int(k), 1.0f, a + (a_turned ? row : row * k), heed_int(a_turned ? m : k),
                b + (b_turned ? column * k : column), heed_int(b_turned ? k : n), 0.0f, c + row * n + column, heed_int(n));
  }
}
