/* Matrix products as measured: three forms of each shape, below their ceiling.  It runs alone. */
#include "measure/gemm.h"

#include <math.h>

#include "base/blas.h"
#include "measure/gemm_peer.h"
#include "reference/numbers.h"
#include "test.h"

static void three_forms_of_a_shape(void) {
  static const int64_t shapes[1][3] = {{96, 80, 64}};
  static const struct {
    int64_t m, n, k;
    const char *trans;
  } expected[HEED_GEMM_FORMS] = {{96, 80, 64, "NT"}, {96, 64, 80, "NN"}, {80, 64, 96, "TN"}};
  heed_gemm_result results[HEED_GEMM_FORMS];
  CU_ASSERT_EQUAL_FATAL(heed_gemm_measure(results, shapes, 1, HEED_FP32, heed_kernels_choose(NULL), heed_alone(), 1), HEED_OK);
  for (int i = 0; i < HEED_GEMM_FORMS; i++) {
    const heed_gemm_result *r = &results[i];
    CU_ASSERT(r->m == expected[i].m && r->n == expected[i].n && r->k == expected[i].k);
    CU_ASSERT_STRING_EQUAL(r->trans, expected[i].trans);
    CU_ASSERT(r->flops_per_second > 0 && r->flops_per_second <= r->ceiling);
    CU_ASSERT(r->peer > 0);
  }
}

/* OpenBLAS makes the same products, in tiles of all sizes. */
static void the_peer_makes_the_same_product(void) {
  enum { M = 517, N = 1030, K = 33 };
  float *a = test_random(M * K, 1, 1.0), *b = test_random(K * N, 2, 1.0), *turned_a = test_floats(M * K), *turned_b = test_floats(K * N);
  double *want = test_doubles(M * N);
  for (int64_t m = 0; m < M; m++)
    for (int64_t k = 0; k < K; k++) {
      turned_a[k * M + m] = a[m * K + k];
      for (int64_t n = 0; n < N; n++) {
        turned_b[n * K + k] = b[k * N + n];
        want[m * N + n] += (double)a[m * K + k] * (double)b[k * N + n];
      }
    }
  CU_ASSERT_EQUAL(heed_blas_check(), HEED_OK);
  for (int form = 0; form < 3; form++) {
    float *c = test_floats(M * N);
    heed_gemm_peer(c, form == 2 ? turned_a : a, form == 2, form == 0 ? turned_b : b, form == 0, M, N, K);
    CU_ASSERT(test_error(c, want, M * N) < 1e-6);
  }
  test_release();
}

HEED_TESTS({"three forms of a shape", three_forms_of_a_shape}, {"the peer makes the same product", the_peer_makes_the_same_product})
