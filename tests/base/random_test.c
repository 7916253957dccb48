#include "heed/random.h"

#include <math.h>

#include "test.h"

/* Random123 1.14, tests/kat_vectors: philox4x32, 10 rounds.  Counter, key, result. */
static const uint32_t known[][10] = {
    {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
    {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
    {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
};

static void gives_known_answers(void) {
  for (int i = 0; i < 3; i++) {
    const uint32_t *k = known[i];
    heed_random4 r = heed_philox(k[0], k[1], k[2], k[3], k[4], k[5]);
    for (int w = 0; w < 4; w++)
      CU_ASSERT_EQUAL(r.word[w], k[6 + w]);
  }
}

static void uniform_stays_inside(void) {
  CU_ASSERT(heed_uniform(0) > 0.0 && heed_uniform(0) < 1e-9);
  CU_ASSERT(heed_uniform(UINT32_MAX) < 1.0 && heed_uniform(UINT32_MAX) > 1.0 - 1e-9);
  CU_ASSERT_EQUAL(heed_below(UINT32_MAX, 7), 6);
  CU_ASSERT_EQUAL(heed_below(0, 7), 0);
  CU_ASSERT_EQUAL(heed_below(0x80000000u, 1), 0);
  CU_ASSERT_EQUAL(heed_below(UINT32_MAX, UINT64_C(1) << 32), UINT32_MAX);
}

/* Neighbouring counters and keys give draws that look independent: each of 16 bins holds its share, within five deviations. */
static void counters_are_independent(void) {
  enum { DRAWS = 1 << 16, BINS = 16 };
  double deviation = sqrt(DRAWS * (1.0 / BINS) * (1 - 1.0 / BINS));
  for (int axis = 0; axis < 6; axis++) {
    int bins[BINS] = {0}, changed = 0;
    for (uint32_t i = 0; i < DRAWS; i++) {
      uint32_t in[6] = {0};
      in[axis] = i;
      uint32_t word = heed_philox(in[0], in[1], in[2], in[3], in[4], in[5]).word[axis % 4];
      bins[heed_below(word, BINS)]++;
      in[axis] = i + 1;
      changed += __builtin_popcount(word ^ heed_philox(in[0], in[1], in[2], in[3], in[4], in[5]).word[axis % 4]);
    }
    for (int b = 0; b < BINS; b++)
      CU_ASSERT(fabs(bins[b] - (double)DRAWS / BINS) < 5 * deviation);
    CU_ASSERT(fabs(changed / (double)DRAWS - 16.0) < 5 * sqrt(8.0 / DRAWS)); /* half of the 32 bits */
  }
}

HEED_TESTS({"gives known answers", gives_known_answers}, {"uniform stays inside", uniform_stays_inside},
           {"counters are independent", counters_are_independent})
