/** Randomness from counters: Philox4x32-10.
 *
 *  A draw is a pure function of (seed, purpose) and a counter that names what it is for, so there is no state to keep, to share
 *  or to restore: masking, dropout, shuffling and initialisation are the same on any number of ranks and threads.
 *  Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"; known answers of Random123. */
#ifndef HEED_RANDOM_H
#define HEED_RANDOM_H

#include <stdint.h>

/** What a draw is for: the second word of the key.  Values are part of the file contract: never renumber. */
typedef enum heed_purpose {
  HEED_FOR_INITIALISATION = 1,
  HEED_FOR_SHUFFLE = 2,
  HEED_FOR_SEGMENTS = 3,
  HEED_FOR_MASKING = 4,
  HEED_FOR_DROPOUT = 5,
  HEED_FOR_SYNTHETIC = 6,
  HEED_FOR_EVALUATION = 7,
  HEED_FOR_GENERATION = 8
} heed_purpose;

typedef struct heed_random4 {
  uint32_t word[4];
} heed_random4;

/** Ten rounds of Philox4x32 on counter (c0, c1, c2, c3) with key (k0, k1). */
static inline heed_random4 heed_philox(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
    uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
    c1 = (uint32_t)p1;
    c3 = (uint32_t)p0;
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return (heed_random4){{c0, c1, c2, c3}};
}

/** Uniform in (0, 1): (word + ½) / 2³². */
static inline double heed_uniform(uint32_t word) {
  return ((double)word + 0.5) * 0x1p-32;
}

/** Uniform integer in [0, n), n ≤ 2³²: ⌊word · n / 2³²⌋. */
static inline uint32_t heed_below(uint32_t word, uint64_t n) {
  return (uint32_t)(((uint64_t)word * n) >> 32);
}

#endif
