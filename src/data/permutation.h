/** The order of an epoch: a keyed permutation of [0, n), computed and never stored.
 *
 *  A Feistel network permutes the smallest power of two that holds n; a result outside [0, n) goes through again until it falls
 *  inside (cycle walking), fewer than two passes on average.  Its rounds are Philox under (seed, HEED_FOR_SHUFFLE), so any place of
 *  any epoch is known at once: a resume has nothing to skip.
 *  Source: Luby and Rackoff 1988; Black and Rogaway 2002, "Ciphers with arbitrary finite domains", method 2. */
#ifndef HEED_DATA_PERMUTATION_H
#define HEED_DATA_PERMUTATION_H

#include <stdint.h>

/** The sample at place `index` of epoch `epoch`: for each (n, seed, epoch) a bijection of [0, n).  1 ≤ n ≤ 2⁶², 0 ≤ index < n. */
int64_t heed_permute(int64_t index, int64_t n, uint32_t seed, uint64_t epoch);

#endif
