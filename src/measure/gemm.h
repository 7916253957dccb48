/** Matrix products as training makes them, through the kernels, held against this machine's ceilings. */
#ifndef HEED_MEASURE_GEMM_H
#define HEED_MEASURE_GEMM_H

#include "heed/communication.h"
#include "kernels/kernels.h"

/** One product: c[m, n] = a · b with inner dimension k. */
typedef struct heed_gemm_result {
  int64_t m, n, k;
  const char *trans; /**< how a and b lie in memory: NT forward (x · wᵀ), NN gradient of the input, TN gradient of the weight */
  double flops_per_second;
  double ceiling; /**< min(multiply-adds, memory), floating-point operations a second */
} heed_gemm_result;

/** Measures every shape in its three forms, on all threads of all ranks at once: each rank multiplies for itself, their rates are added.
 *  Collective.
 *  \param[out] results  allocated, freed by the caller; \param[out] count  their number
 *  Errors: HEED_FAILED when memory is short, or when a product was faster than the ceiling: then the ceiling was disturbed. */
heed_status heed_gemm_measure(heed_gemm_result **results, int64_t *count, const heed_kernels *kernels, heed_communication *communication,
                              int64_t ranks_on_node);

#endif
