/** Private to kernels/: sixteen floats or words of 32 bits, held in one, two or four registers. */
#ifndef HEED_KERNELS_LANES16_H
#define HEED_KERNELS_LANES16_H

#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

#include "kernels/transpose.h"

typedef float heed_lanes16 __attribute__((vector_size(64)));

static inline heed_lanes16 heed_lanes16_of(float x) {
  return (heed_lanes16){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
}
static inline heed_lanes16 heed_lanes16_at(const float *from) {
  heed_lanes16 lanes;
  memcpy(&lanes, from, sizeof lanes);
  return lanes;
}
static inline heed_words heed_words_of(uint32_t x) {
  return (heed_words){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
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

/** Lanes that hold, or not. */
#ifdef __AVX512F__
typedef __mmask16 heed_mask16;

static inline heed_mask16 heed_at_least16(heed_words a, heed_words b) {
  return _mm512_cmpge_epu32_mask((__m512i)a, (__m512i)b);
}
/** x where the mask holds, else 0. */
static inline heed_lanes16 heed_where(heed_mask16 mask, heed_lanes16 x) {
  return (heed_lanes16)_mm512_maskz_mov_ps(mask, (__m512)x);
}
static inline heed_lanes16 heed_choose(heed_mask16 mask, heed_lanes16 x, heed_lanes16 otherwise) {
  return (heed_lanes16)_mm512_mask_mov_ps((__m512)otherwise, mask, (__m512)x);
}
/** a·b + c where the mask holds, else c. */
static inline heed_lanes16 heed_fma_where(heed_mask16 mask, heed_lanes16 a, heed_lanes16 b, heed_lanes16 c) {
  return (heed_lanes16)_mm512_mask3_fmadd_ps((__m512)a, (__m512)b, (__m512)c, mask);
}
/** The larger; b where either is NaN. */
static inline heed_lanes16 heed_larger(heed_lanes16 a, heed_lanes16 b) {
  return (heed_lanes16)_mm512_max_ps((__m512)a, (__m512)b);
}
#else
typedef heed_words heed_mask16;

static inline heed_mask16 heed_at_least16(heed_words a, heed_words b) {
  return (heed_words)(a >= b);
}
static inline heed_lanes16 heed_where(heed_mask16 mask, heed_lanes16 x) {
  return (heed_lanes16)((heed_words)x & mask);
}
static inline heed_lanes16 heed_choose(heed_mask16 mask, heed_lanes16 x, heed_lanes16 otherwise) {
  return (heed_lanes16)(((heed_words)x & mask) | ((heed_words)otherwise & ~mask));
}
static inline heed_lanes16 heed_fma_where(heed_mask16 mask, heed_lanes16 a, heed_lanes16 b, heed_lanes16 c) {
  return heed_choose(mask, heed_lanes16_fma(a, b, c), c);
}
static inline heed_lanes16 heed_larger(heed_lanes16 a, heed_lanes16 b) {
  return heed_choose((heed_words)(a > b), a, b);
}
#endif

/** eˣ for x ≤ 88, within 1.9 ulp; 1 for 0 exactly, 0 below −87.7.  x = n·ln 2 + r, eˣ = 2ⁿ·(1 + r·Q(r)) on |r| ≤ ½ ln 2; Q: least maximum
 *  relative error (Lawson's iteration). */
static inline __attribute__((always_inline)) heed_lanes16 heed_lanes16_exp(heed_lanes16 x) {
  const float to_exponent = 0x1.8p23f + 127; /* adding it rounds to an integer, which stands in the low bits, biased */
  x = heed_larger(heed_lanes16_of(-127.0f * 0.693147181f), x);
  heed_lanes16 shifted = heed_lanes16_fma(x, heed_lanes16_of(1.44269504f), heed_lanes16_of(to_exponent));
  heed_lanes16 n = shifted - to_exponent;
  heed_lanes16 r = heed_lanes16_fma(n, heed_lanes16_of(-0.693147181f), x); /* ln 2 is within 2e-9 of a float */
  heed_lanes16 p = heed_lanes16_fma(heed_lanes16_of(0.00829027221f), r, heed_lanes16_of(0.0418981612f));
  p = heed_lanes16_fma(p, r, heed_lanes16_of(0.166676387f));
  p = heed_lanes16_fma(p, r, heed_lanes16_of(0.499991477f));
  p = heed_lanes16_fma(p, r, heed_lanes16_of(0.999999702f));
  p = heed_lanes16_fma(p, r, heed_lanes16_of(1.0f));
  return p * (heed_lanes16)((heed_words)shifted << 23);
}

#endif
