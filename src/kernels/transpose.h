/** Private to kernels/: 16 × 16 words of 32 bits, transposed in registers. */
#ifndef HEED_KERNELS_TRANSPOSE_H
#define HEED_KERNELS_TRANSPOSE_H

#include <stdint.h>
#include <string.h>

#include "kernels/vector.h"

typedef uint32_t heed_words __attribute__((vector_size(64)));

#ifdef __AVX512F__
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
#else
typedef uint32_t heed_few_words __attribute__((vector_size(HEED_VECTOR * sizeof(uint32_t))));

#define HEED_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (heed_few_words){__VA_ARGS__})

#if defined(__AVX__)
/** 8 × 8: pairs of rows, pairs of those, and halves. */
static inline __attribute__((always_inline)) void heed_transpose_few(heed_few_words row[8]) {
  heed_few_words pairs[8], fours[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = HEED_SHUFFLE(row[i], row[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = HEED_SHUFFLE(row[i], row[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
#pragma GCC unroll 8
  for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; j++) {
      fours[i + 2 * j] = HEED_SHUFFLE(pairs[i + j], pairs[i + 2 + j], 0, 1, 8, 9, 4, 5, 12, 13);
      fours[i + 2 * j + 1] = HEED_SHUFFLE(pairs[i + j], pairs[i + 2 + j], 2, 3, 10, 11, 6, 7, 14, 15);
    }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    row[i] = HEED_SHUFFLE(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    row[i + 4] = HEED_SHUFFLE(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}
#else
/** 4 × 4: pairs of rows, and pairs of those. */
static inline __attribute__((always_inline)) void heed_transpose_few(heed_few_words row[4]) {
  const heed_few_words low[2] = {HEED_SHUFFLE(row[0], row[1], 0, 4, 1, 5), HEED_SHUFFLE(row[2], row[3], 0, 4, 1, 5)},
                       high[2] = {HEED_SHUFFLE(row[0], row[1], 2, 6, 3, 7), HEED_SHUFFLE(row[2], row[3], 2, 6, 3, 7)};
  row[0] = HEED_SHUFFLE(low[0], low[1], 0, 1, 4, 5);
  row[1] = HEED_SHUFFLE(low[0], low[1], 2, 3, 6, 7);
  row[2] = HEED_SHUFFLE(high[0], high[1], 0, 1, 4, 5);
  row[3] = HEED_SHUFFLE(high[0], high[1], 2, 3, 6, 7);
}
#endif

/** Squares as wide as a register, each turned and changed places with the one opposite: 16 registers of 16 words there are not. */
static inline void heed_transpose(heed_words row[16]) {
  uint32_t(*word)[16] = (uint32_t(*)[16])row;
  for (int i = 0; i < 16; i += HEED_VECTOR)
    for (int j = 0; j <= i; j += HEED_VECTOR) {
      heed_few_words lower[HEED_VECTOR], upper[HEED_VECTOR];
#pragma GCC unroll 8
      for (int r = 0; r < HEED_VECTOR; r++)
        memcpy(&lower[r], &word[i + r][j], sizeof lower[r]);
#pragma GCC unroll 8
      for (int r = 0; r < HEED_VECTOR; r++)
        memcpy(&upper[r], &word[j + r][i], sizeof upper[r]);
      heed_transpose_few(lower);
      heed_transpose_few(upper);
#pragma GCC unroll 8
      for (int r = 0; r < HEED_VECTOR; r++) {
        memcpy(&word[j + r][i], &lower[r], sizeof lower[r]);
        memcpy(&word[i + r][j], &upper[r], sizeof upper[r]);
      }
    }
}
#endif

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
