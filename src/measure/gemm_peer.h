/** The same products by OpenBLAS, to hold the kernels' against. */
#ifndef HEED_MEASURE_GEMM_PEER_H
#define HEED_MEASURE_GEMM_PEER_H

#include <stdbool.h>
#include <stdint.h>

/** c[m, n] = a · b, a [m, k] or with `a_turned` [k, m], b [k, n] or with `b_turned` [n, k].  OpenBLAS is serial: the threads share out
 * tiles of c, which is faster than its own threads are.  Opens its parallel region.  heed_blas_check has been called. */
void heed_gemm_peer(float *c, const float *a, bool a_turned, const float *b, bool b_turned, int64_t m, int64_t n, int64_t k);

#endif
