/** Private to kernels/: 16 × 16 words of 32 bits, transposed in registers. */
#ifndef HEED_KERNELS_TRANSPOSE_H
#define HEED_KERNELS_TRANSPOSE_H

#include <stdint.h>
#include <string.h>

typedef uint32_t heed_words __attribute__((vector_size(64)));

#define HEED_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (heed_words){__VA_ARGS__})

/** Four rounds; round k exchanges the words of rows i and i + 2ᵏ whose column has bit k. */
static inline void heed_transpose(heed_words row[16]) {
#pragma GCC unroll 16
  for (int i = 0; i < 16; i += 2) {
    heed_words a = row[i], b = row[i + 1];
    row[i] = HEED_SHUFFLE(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
    row[i + 1] = HEED_SHUFFLE(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
  }
#pragma GCC unroll 16
  for (int n = 0; n < 8; n++) {
    int i = n / 2 * 4 + n % 2;
    heed_words a = row[i], b = row[i + 2];
    row[i] = HEED_SHUFFLE(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    row[i + 2] = HEED_SHUFFLE(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  }
#pragma GCC unroll 16
  for (int n = 0; n < 8; n++) {
    int i = n / 4 * 8 + n % 4;
    heed_words a = row[i], b = row[i + 4];
    row[i] = HEED_SHUFFLE(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    row[i + 4] = HEED_SHUFFLE(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
  }
#pragma GCC unroll 16
  for (int i = 0; i < 8; i++) {
    heed_words a = row[i], b = row[i + 8];
    row[i] = HEED_SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    row[i + 8] = HEED_SHUFFLE(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  }
}

/** Row r of `count` ≤ 16 rows, `stride` bytes apart, of which `bytes` ≤ 64 each are there; what is not is 0. */
static inline void heed_words_load(heed_words row[16], const void *from, int64_t stride, int64_t count, int64_t bytes) {
  const char *at = from;
  if (count >= 16 && bytes == sizeof *row) { /* constant counts: a register each */
#pragma GCC unroll 16
    for (int64_t r = 0; r < 16; r++)
      memcpy(&row[r], at + r * stride, sizeof *row);
    return;
  }
  for (int64_t r = 0; r < 16; r++) {
    row[r] = (heed_words){0};
    if (r < count)
      memcpy(&row[r], at + r * stride, (size_t)bytes);
  }
}

#endif
