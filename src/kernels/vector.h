/** Private to kernels/: floats in one register, the widest there is. */
#ifndef HEED_KERNELS_VECTOR_H
#define HEED_KERNELS_VECTOR_H

#ifdef __SSE2__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { HEED_VECTOR = 16 };
#elif defined(__AVX__)
enum { HEED_VECTOR = 8 };
#else
enum { HEED_VECTOR = 4 };
#endif

typedef float heed_vector __attribute__((vector_size(HEED_VECTOR * sizeof(float))));

static inline heed_vector heed_vector_of(float x) {
  return x - (heed_vector){0}; /* x in all places: −0 too */
}

/** a·b + c, fused where the level has the instruction (contraction is off). */
static inline __attribute__((always_inline)) heed_vector heed_vector_fma(heed_vector a, heed_vector b, heed_vector c) {
#if defined(__AVX512F__)
  return (heed_vector)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (heed_vector)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

#endif
