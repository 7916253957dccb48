/** Rotary positions in double (Su et al. 2021, eq. 34), the halves of a head apart: pair i of a token at place p turns by p·θ^(−2i/D). */
#ifndef HEED_TESTS_REFERENCE_ROTARY_H
#define HEED_TESTS_REFERENCE_ROTARY_H

#include <math.h>
#include <stdint.h>

/** table[positions, D]: D/2 cosines, then D/2 sines. */
static inline void reference_rotary_table(double *table, int64_t positions, int64_t head_width, double theta) {
  for (int64_t p = 0; p < positions; p++)
    for (int64_t i = 0; i < head_width / 2; i++) {
      double angle = (double)p * pow(theta, -2.0 * (double)i / (double)head_width);
      table[p * head_width + i] = cos(angle);
      table[p * head_width + head_width / 2 + i] = sin(angle);
    }
}

/** y[T, H·D] from x: each pair as a complex number times cos + i·sin; `turn` −1 turns back. */
static inline void reference_rotary(double *y, const double *x, const double *table, const int32_t *positions, int64_t tokens,
                                    int64_t stride, int64_t heads, int64_t head_width, double turn) {
  int64_t half = head_width / 2;
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t h = 0; h < heads; h++)
      for (int64_t i = 0; i < half; i++) {
        int64_t low = t * stride + h * head_width + i, high = low + half;
        double cosine = table[positions[t] * head_width + i], sine = turn * table[positions[t] * head_width + half + i];
        y[low] = x[low] * cosine - x[high] * sine;
        y[high] = x[high] * cosine + x[low] * sine;
      }
}

#endif
