/** The likeliest tokens of a row of logits. */
#ifndef HEED_EVALUATE_LIKELIEST_H
#define HEED_EVALUATE_LIKELIEST_H

#include "heed/inference.h"

/** The `top` likeliest of V tokens, likeliest first, the first of equals before the others.  False when the logits are not finite.
 *  \param[out] best  [top], 1 ≤ top ≤ V; probability_v = exp(logit_v) / Σ_u exp(logit_u), in double */
bool heed_likeliest(heed_prediction *best, int64_t top, const float *logits, int64_t vocabulary);

/** Refuses a `top` outside the vocabulary.  Errors: HEED_INVALID. */
heed_status heed_likeliest_check(int64_t top, int64_t vocabulary);

#endif
