/** Numbers made of attention maps. */
#ifndef HEED_INSPECT_NUMBERS_H
#define HEED_INSPECT_NUMBERS_H

#include "heed/status.h"

#include <stdint.h>

/** Attention rollout: what each token of a layer's output is made of, were all heads alike and the residual path half of it.
 *  R_l = A_l · R_{l−1}, R_{−1} = I, A_l = ½ · (1/H) Σ_h W_{l,h} + ½ I, each row then divided by its sum.  In double.
 *  \param[out] rollout  [L, S, S]
 *  \param[in]  weights  [L, H, S, S]
 *  Errors: HEED_FAILED when memory is short.  Source: Abnar and Zuidema 2020, section 3. */
heed_status heed_rollout(float *restrict rollout, const float *restrict weights, int64_t layers, int64_t heads, int64_t tokens);

/** −Σ_k w ln w in nats, mean over the rows of a map [S, S]. */
double heed_map_entropy(const float *weights, int64_t tokens);

#endif
