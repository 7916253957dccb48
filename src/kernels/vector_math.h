/** Private to kernels/: exp, the normal distribution, tanh and log as our own polynomials.
 *
 *  They are straight-line code, so loops over them vectorise without fast-math, and they do not change with the C library.  NaN
 *  propagates; ±∞ give the limits.  Coefficients: least maximum relative error (Lawson's iteration), worked out for Heed in 40 digits. */
#ifndef HEED_KERNELS_VECTOR_MATH_H
#define HEED_KERNELS_VECTOR_MATH_H

#include <math.h>
#include <stdint.h>

/** a·b + c, fused where the level has the instruction; contraction is off elsewhere, so bits do not depend on the compiler's mood. */
static inline float heed_fma(float a, float b, float c) {
#ifdef __FP_FAST_FMAF
  return fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

static inline float heed_float_of(uint32_t bits) {
  union {
    uint32_t bits;
    float value;
  } same = {bits};
  return same.value;
}

static inline uint32_t heed_bits_of(float value) {
  union {
    float value;
    uint32_t bits;
  } same = {value};
  return same.bits;
}

/** eˣ within 1.1 ulp.  x = n·ln 2 + r, eˣ = 2ⁿ·eʳ, eʳ = 1 + r + r²·P(r) on |r| ≤ ½ ln 2.
 *  2ⁿ is applied in two steps, so that results below the normal range come out right and those above FLT_MAX are ∞. */
static inline float heed_exp(float x) {
  const float to_integer = 0x1.8p23f; /* adding it rounds to an integer, which then stands in the low bits */
  float bounded = x < -104.0f ? -104.0f : x;
  bounded = bounded > 89.0f ? 89.0f : bounded;
  float shifted = heed_fma(bounded, 1.44269504f, to_integer);
  float n = shifted - to_integer;
  float r = heed_fma(n, -0x1.62e4p-1f, bounded); /* ln 2 in two parts; n times the first is exact */
  r = heed_fma(n, -1.42860677e-6f, r);
  float p = heed_fma(0.00138146011f, r, 0.00836871564f);
  p = heed_fma(p, r, 0.041668389f);
  p = heed_fma(p, r, 0.166665211f);
  p = heed_fma(p, r, 0.49999994f);
  float e = 1.0f + heed_fma(p * r, r, r);
  uint32_t exponents = heed_bits_of(shifted) - heed_bits_of(to_integer) + 254; /* of both steps together, each biased by 127 */
  uint32_t first = exponents >> 1;
  return e * heed_float_of(first << 23) * heed_float_of((exponents - first) << 23);
}

/** Φ(x) = ½·(1 + erf(x/√2)), the normal distribution, and its density φ(x) = e^(−x²/2)/√(2π): all that GELU needs, from one exp.
 *  Φ(−|x|) = e^(−x²/2) · u·P(1 − u), u = 1/(1 + 0.3·|x|), P(0) = ½: within 4 ulp for x > −1, and the lower tail keeps its relative
 *  accuracy, which ½·(1 + erf) would lose. */
typedef struct heed_normal {
  float cdf, density;
} heed_normal;

static inline heed_normal heed_normal_of(float x) {
  float magnitude = fabsf(x);
  magnitude = magnitude > 40.0f ? 40.0f : magnitude; /* the tail is 0 from 14.5 on; ∞ · 0 is kept out */
  float e = heed_exp(-0.5f * magnitude * magnitude);
  float u = 1.0f / heed_fma(0.3f, magnitude, 1.0f);
  float w = 0.3f * magnitude * u;
  float p = heed_fma(0.0204801559f, w, -0.0726220161f);
  p = heed_fma(p, w, 0.0702714995f);
  p = heed_fma(p, w, 0.0109208394f);
  p = heed_fma(p, w, 0.0229357537f);
  p = heed_fma(p, w, -0.139594331f);
  p = heed_fma(p, w, -0.0810460523f);
  p = heed_fma(p, w, 0.61814791f);
  p = heed_fma(p, w, -0.829807281f);
  p = heed_fma(p, w, 0.5f);
  float tail = e * (u * p);
  return (heed_normal){.cdf = x > 0.0f ? 1.0f - tail : tail, .density = 0.398942280f * e};
}

/** tanh x within 2 ulp: x + x³·P(x²) for |x| < 0.625, else ±(1 − 2/(e^(2|x|) + 1)). */
static inline float heed_tanh(float x) {
  float magnitude = fabsf(x), square = x * x;
  float p = heed_fma(-0.0056973868f, square, 0.0206325501f);
  p = heed_fma(p, square, -0.0537378006f);
  p = heed_fma(p, square, 0.133314207f);
  p = heed_fma(p, square, -0.333332807f);
  float near = heed_fma(magnitude * square, p, magnitude);
  float far = 1.0f - 2.0f / (heed_exp(2.0f * magnitude) + 1.0f);
  return copysignf(magnitude < 0.625f ? near : far, x);
}

/** Natural logarithm of a normal x ≥ 1 (or of ∞ or NaN, given back), in double within 2 ulp: x = 2ᵏ·m, √½ ≤ m < √2, and
 *  log m = 2·artanh f = 2·(f + f³/3 + f⁵/5 + …), f = (m − 1)/(m + 1). */
static inline double heed_log(double x) {
  if (!(x < INFINITY))
    return x;
  union {
    double value;
    uint64_t bits;
  } same = {x};
  const uint64_t root_half = 0x3FE6A09E667F3BCD; /* √½: from here to the next power of two the exponent is counted up */
  uint64_t above = same.bits - root_half + (UINT64_C(1023) << 52);
  double k = (double)(int64_t)(above >> 52) - 1023.0;
  same.bits = (above & 0xFFFFFFFFFFFFF) + root_half;
  double f = (same.value - 1.0) / (same.value + 1.0), square = f * f, series = 0.0;
  for (int odd = 21; odd > 1; odd -= 2)
    series = (series + 1.0 / odd) * square;
  return k * 0x1.62e42fefa39efp-1 + (2.0 * f + 2.0 * f * series);
}

#endif
