/** A run of random words behind one name: what a row, or a segment, draws.
 *
 *  The name is three counter words and a key; word 0 of the counter numbers the blocks of four words.  So what one row draws says
 *  nothing about the next, however many words either takes. */
#ifndef HEED_DATA_DRAWS_H
#define HEED_DATA_DRAWS_H

#include "heed/random.h"

typedef struct heed_draws {
  uint32_t next, name[3]; /**< the counter */
  uint32_t seed, purpose; /**< the key */
  heed_random4 block;
  unsigned used; /**< words of `block` already given */
} heed_draws;

static inline heed_draws heed_draws_begin(uint32_t seed, heed_purpose purpose, uint32_t name1, uint32_t name2, uint32_t name3) {
  return (heed_draws){.name = {name1, name2, name3}, .seed = seed, .purpose = (uint32_t)purpose, .used = 4};
}

static inline uint32_t heed_draw(heed_draws *draws) {
  if (draws->used == 4) {
    draws->block = heed_philox(draws->next++, draws->name[0], draws->name[1], draws->name[2], draws->seed, draws->purpose);
    draws->used = 0;
  }
  return draws->block.word[draws->used++];
}

#endif
