/** Which elements dropout keeps, one Philox call an element. */
#ifndef HEED_TESTS_REFERENCE_DROPOUT_H
#define HEED_TESTS_REFERENCE_DROPOUT_H

#include "heed/random.h"
#include "kernels/kernels.h"

/** mask · scale of logical element e of a row of the stream; head 0 for token rows. */
static inline double reference_dropout_factor(const heed_dropout *dropout, int64_t sequence, int64_t head, int64_t e) {
  heed_random4 random = heed_philox((uint32_t)(e / 8), dropout->first_row + (uint32_t)sequence, dropout->site + (uint32_t)head * 65536,
                                    dropout->data_position, dropout->seed, HEED_FOR_DROPOUT);
  uint32_t draw = (random.word[e % 8 / 2] >> (e % 2 * 16)) & 0xFFFF;
  return draw < dropout->threshold ? 0.0 : 65536.0 / (65536.0 - dropout->threshold);
}

#endif
