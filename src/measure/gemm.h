/** Matrix products as training makes them, through the kernels, held against this machine's ceilings. */
#ifndef HEED_MEASURE_GEMM_H
#define HEED_MEASURE_GEMM_H

#include "heed/communication.h"
#include "heed/config.h"
#include "kernels/kernels.h"

/** One product: c[m, n] = a · b with inner dimension k. */
typedef struct heed_gemm_result {
  int64_t m, n, k;
  const char *trans; /**< how a and b lie in memory: NT forward (x · wᵀ), NN gradient of the input, TN gradient of the weight */
  double flops_per_second;
  double peer;    /**< the same by OpenBLAS; 0 in bf16, which it has not */
  double ceiling; /**< min(multiply-adds, memory), floating-point operations a second */
} heed_gemm_result;

/** Linear layers: tokens × outputs × inputs.  A cube for comparison, then BERT-mini's and -base's, and mini's decoder. */
enum { HEED_GEMM_SHAPES = 8, HEED_GEMM_FORMS = 3 };
extern const int64_t heed_gemm_shapes[HEED_GEMM_SHAPES][3];

/** Measures every shape in its three forms, on all threads of all ranks at once: each rank multiplies for itself, their rates are added.
 *  Collective.
 *  \param[out] results  [count][HEED_GEMM_FORMS]
 *  Errors: HEED_FAILED when memory is short, or when a product was faster than the ceiling: then the ceiling was disturbed. */
heed_status heed_gemm_measure(heed_gemm_result *results, const int64_t (*shapes)[3], int64_t count, heed_precision precision,
                              const heed_kernels *kernels, heed_communication *communication, int64_t ranks_on_node);

#endif
