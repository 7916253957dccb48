/** Attention maps as text that a page holds: small, and decoded a map at a time. */
#ifndef HEED_INSPECT_PACKED_H
#define HEED_INSPECT_PACKED_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "heed/status.h"

/** Bits of a weight: 16 while a page of so many stays small, then 8. */
int heed_packed_bits(int64_t weights);

/** `count` maps [S, S], each a line of base64: level = round(√w · (2^bits − 1)), low byte first, rows in order; of causal maps each row up
 *  to its own token.  |w − (level / (2^bits − 1))²| ≤ (√w + 2^−(bits + 1)) / (2^bits − 1).  Errors: HEED_FAILED when memory is short. */
heed_status heed_packed_maps(FILE *out, const float *maps, int64_t count, int64_t tokens, bool causal, int bits);

#endif
