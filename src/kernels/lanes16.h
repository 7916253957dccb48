/** Private to kernels/: sixteen floats, held in one, two or four registers. */
#ifndef HEED_KERNELS_LANES16_H
#define HEED_KERNELS_LANES16_H

#include <string.h>
#ifdef __FMA__
#include <immintrin.h>
#endif

typedef float heed_lanes16 __attribute__((vector_size(64)));

static inline heed_lanes16 heed_lanes16_of(float x) {
  return (heed_lanes16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}

/** a·b + c, fused where the level has the instruction (contraction is off). */
static inline __attribute__((always_inline)) heed_lanes16 heed_lanes16_fma(heed_lanes16 a, heed_lanes16 b, heed_lanes16 c) {
#if defined(__AVX512F__)
  return (heed_lanes16)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  union {
    heed_lanes16 whole;
    __m256 half[2];
  } x = {a}, y = {b}, z = {c};
  z.half[0] = _mm256_fmadd_ps(x.half[0], y.half[0], z.half[0]);
  z.half[1] = _mm256_fmadd_ps(x.half[1], y.half[1], z.half[1]);
  return z.whole;
#else
  return a * b + c;
#endif
}

#endif
