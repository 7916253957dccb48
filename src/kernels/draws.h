/** Private to kernels/: the draws of dropout, many at a time.
 *
 *  One Philox call gives 8 draws of 16 bits; COUNTERS calls with neighbouring counters run side by side in vector lanes.  Nothing is
 *  stored: forward and backward draw the same bits again. */
#ifndef HEED_KERNELS_DRAWS_H
#define HEED_KERNELS_DRAWS_H

#include "heed/random.h"
#include "kernels/level.h"

enum { HEED_DRAW_COUNTERS = 8, HEED_DRAWS = 8 * HEED_DRAW_COUNTERS };

/** Where the draws of one row of elements come from: the counter of its first element, the rest of Philox's input, and the rate. */
typedef struct heed_draw_source {
  uint32_t counter, row, site;
  const heed_dropout *dropout;
} heed_draw_source;

/** factor[i] of elements [first, first + 64) of a row: 0 where dropped, else the scale; first is a multiple of 8.
 *  Element e has the 16 bits number e mod 8 of its call: of word e mod 8 / 2, the low half first on little-endian machines. */
static inline void heed_draw_factors(float factor[HEED_DRAWS], const heed_draw_source *source, int64_t first) {
  union {
    uint32_t word[HEED_DRAW_COUNTERS][4];
    uint16_t bits[HEED_DRAWS];
  } draws;
  const heed_dropout dropout = *source->dropout;
  uint32_t counter = source->counter + (uint32_t)(first / 8);
#pragma omp simd
  for (uint32_t i = 0; i < HEED_DRAW_COUNTERS; i++) {
    heed_random4 random = heed_philox(counter + i, source->row, source->site, dropout.data_position, dropout.seed, HEED_FOR_DROPOUT);
    draws.word[i][0] = random.word[0];
    draws.word[i][1] = random.word[1];
    draws.word[i][2] = random.word[2];
    draws.word[i][3] = random.word[3];
  }
#pragma omp simd
  for (int i = 0; i < HEED_DRAWS; i++)
    factor[i] = draws.bits[i] < dropout.threshold ? 0.0f : dropout.scale;
}

#endif
