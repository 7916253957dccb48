#include "data/permutation.h"

#include "heed/random.h"

enum { ROUNDS = 8 };

/* One half of the value, mixed: the round function need not be invertible, since each round only adds it to the other half. */
static uint32_t mix(uint32_t half, uint32_t round, uint32_t seed, uint64_t epoch) {
  return heed_philox(half, round, (uint32_t)epoch, (uint32_t)(epoch >> 32), seed, HEED_FOR_SHUFFLE).word[0];
}

int64_t heed_permute(int64_t index, int64_t n, uint32_t seed, uint64_t epoch) {
  if (n <= 1)
    return 0;
  unsigned bits = 1;
  while (bits < 62 && ((int64_t)1 << bits) < n)
    bits++;
  unsigned low_bits = bits / 2, high_bits = bits - low_bits;
  uint32_t low_mask = (uint32_t)((1u << low_bits) - 1), high_mask = (uint32_t)((1u << high_bits) - 1);
  uint64_t value = (uint64_t)index;
  do {
    uint32_t low = (uint32_t)value & low_mask, high = (uint32_t)(value >> low_bits);
    for (uint32_t round = 0; round < ROUNDS; round += 2) {
      high ^= mix(low, round, seed, epoch) & high_mask;
      low ^= mix(high, round + 1, seed, epoch) & low_mask;
    }
    value = (uint64_t)high << low_bits | low;
  } while (value >= (uint64_t)n);
  return (int64_t)value;
}
