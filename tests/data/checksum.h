/** A CRC-32 as zlib's, over texts one after the other: what fixtures keep of results that are too many to list. */
#ifndef HEED_TESTS_DATA_CHECKSUM_H
#define HEED_TESTS_DATA_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

typedef struct checksum {
  uint32_t table[256], state;
} checksum;

static inline checksum checksum_begin(void) {
  checksum sum = {.state = 0xFFFFFFFFu};
  for (uint32_t i = 0; i < 256; i++) {
    sum.table[i] = i;
    for (int bit = 0; bit < 8; bit++)
      sum.table[i] = sum.table[i] >> 1 ^ (sum.table[i] & 1 ? 0xEDB88320u : 0);
  }
  return sum;
}

static inline void checksum_add(checksum *sum, const char *text, size_t bytes) {
  for (size_t i = 0; i < bytes; i++)
    sum->state = sum->table[(sum->state ^ (unsigned char)text[i]) & 0xFF] ^ sum->state >> 8;
}

#endif
