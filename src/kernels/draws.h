/** Private to kernels/: the draws of dropout, many at a time.
 *
 *  One Philox call gives 8 draws of 16 bits; COUNTERS calls with neighbouring counters run side by side in vector lanes.  Nothing is
 *  stored: forward and backward draw the same bits again. */
#ifndef HEED_KERNELS_DRAWS_H
#define HEED_KERNELS_DRAWS_H

#include "heed/random.h"
#include "kernels/level.h"

enum { HEED_DRAW_COUNTERS = 8, HEED_DRAWS = 8 * HEED_DRAW_COUNTERS };

/** Element e of a row takes bits[e mod 64] of block e / 64: 16 bits of word e mod 8 / 2, the low half first on little-endian machines. */
typedef union heed_draws {
  uint32_t word[HEED_DRAW_COUNTERS][4];
  uint16_t bits[HEED_DRAWS];
} heed_draws;

/** Where the draws of one row of elements come from: the counter of its first element and the rest of Philox's input. */
typedef struct heed_draw_source {
  uint32_t counter, row, site, data_position, seed;
} heed_draw_source;

/** The draws of elements [first, first + 64) of a row; first is a multiple of 8. */
static inline void heed_draw(heed_draws *draws, const heed_draw_source *source, int64_t first) {
  uint32_t counter = source->counter + (uint32_t)(first / 8);
#pragma omp simd
  for (uint32_t i = 0; i < HEED_DRAW_COUNTERS; i++) {
    heed_random4 random = heed_philox(counter + i, source->row, source->site, source->data_position, source->seed, HEED_FOR_DROPOUT);
    draws->word[i][0] = random.word[0];
    draws->word[i][1] = random.word[1];
    draws->word[i][2] = random.word[2];
    draws->word[i][3] = random.word[3];
  }
}

#endif
