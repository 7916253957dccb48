/** Private to kernels/: what tensors between matrix products are made of.
 *
 *  The kernels are compiled once for each: fp32, where an element is a float, and bf16, where it is the upper half of one.  Sums, norms,
 *  softmax, the residual stream and gradients of parameters are floats in both. */
#ifndef HEED_KERNELS_ELEMENT_H
#define HEED_KERNELS_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernels/vector_math.h"
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

/** To the nearest bf16, ties to even; NaN stays NaN. */
static inline uint16_t heed_bf16_of(float value) {
  uint32_t bits = heed_bits_of(value);
  uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  return (uint16_t)(value == value ? rounded : bits >> 16 | 0x40);
}

static inline float heed_float_of_bf16(uint16_t value) {
  return heed_float_of((uint32_t)value << 16);
}

#ifdef HEED_ELEMENT_BF16
typedef uint16_t heed_element;

static inline heed_element heed_element_of(float value) {
  return heed_bf16_of(value);
}
static inline float heed_value_of(heed_element element) {
  return heed_float_of_bf16(element);
}
#else
typedef float heed_element;

static inline heed_element heed_element_of(float value) {
  return value;
}
static inline float heed_value_of(heed_element element) {
  return element;
}
#endif

/** Elements to floats, and back. */
static inline void heed_values(float *restrict to, const heed_element *restrict from, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++)
    to[i] = heed_value_of(from[i]);
}
static inline void heed_elements(heed_element *restrict to, const float *restrict from, int64_t count) {
  int64_t i = 0;
#if defined(HEED_ELEMENT_BF16) && defined(__AVX512BF16__)
  for (; i + 16 <= count; i += 16)
    _mm256_storeu_si256((__m256i *)(to + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(from + i)));
#endif
#pragma omp simd
  for (int64_t j = i; j < count; j++)
    to[j] = heed_element_of(from[j]);
}

#endif
