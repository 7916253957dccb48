/* GELU (Hendrycks & Gimpel 2016) in both forms, ReLU, and tanh: element by element.
 *
 *     erf form    y = x·Φ(x)                                    dy/dx = Φ(x) + x·φ(x)
 *     tanh form   y = x·s,  s = ½·(1 + tanh u) = 1/(1 + e^(−2u))  dy/dx = s + x·s·(1 − s)·2u′
 *                 u = √(2/π)·(x + 0.044715·x³),  u′ = √(2/π)·(1 + 0.134145·x²)
 *
 * Beyond ±40 the functions have their limits; x is bounded there so that ±∞ gives them too instead of ∞ · 0. */
#include "kernels/activation.h"
#include "kernels/element.h"
#include "kernels/vector_math.h"

enum { BLOCK = 1024 }; /* elements a thread takes at a time */

static inline float not_below(float x) {
  return x < -40.0f ? -40.0f : x;
}
static inline float bounded(float x) {
  float low = not_below(x);
  return low > 40.0f ? 40.0f : low;
}

/** −2u of the tanh form. */
static inline float exponent(float x) {
  return x * heed_fma(-0.0713548163f, x * x, -1.59576912f);
}

/** act and act′ at one place. */
typedef struct both {
  float value, slope;
} both;

static inline both gelu_erf(float x) {
  heed_normal normal = heed_normal_of(x);
  return (both){not_below(x) * normal.cdf, heed_fma(bounded(x), normal.density, normal.cdf)};
}
static inline both gelu_tanh(float x) {
  float inside = bounded(x);
  float e = heed_exp(exponent(inside)), s = 1.0f / (1.0f + e), rest = e > 1e30f ? 1.0f : e * s; /* 1 − s without cancelling */
  float slope = heed_fma(0.214064449f, inside * inside, 1.59576912f);                           /* 2u′ */
  return (both){not_below(x) / (1.0f + e), heed_fma(inside * s * rest, slope, s)};              /* e is at its bounds beyond ±40 */
}

/* Comparisons let NaN through. */
static inline both relu(float x) {
  return (both){x < 0.0f ? 0.0f : x, x <= 0.0f ? 0.0f : 1.0f};
}

/** `act`: a constant where it is called, so that what is not asked for is not worked out. */
static inline __attribute__((always_inline)) void values_of(float *y, const float *x, int64_t count, both (*const act)(float)) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++)
    y[i] = act(x[i]).value;
}
static inline __attribute__((always_inline)) void both_of(float *y, float *slopes, const float *x, int64_t count,
                                                          both (*const act)(float)) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    both at = act(x[i]);
    y[i] = at.value;
    slopes[i] = at.slope;
  }
}

void HEED_KERNEL(activation_values)(float *y, const float *x, int64_t count, heed_form form) {
  switch (form) {
  case HEED_FORM_GELU:
    values_of(y, x, count, gelu_erf);
    break;
  case HEED_FORM_GELU_TANH:
    values_of(y, x, count, gelu_tanh);
    break;
  case HEED_FORM_RELU:
    values_of(y, x, count, relu);
    break;
  }
}

void HEED_KERNEL(activation_both)(float *y, float *slopes, const float *x, int64_t count, heed_form form) {
  switch (form) {
  case HEED_FORM_GELU:
    both_of(y, slopes, x, count, gelu_erf);
    break;
  case HEED_FORM_GELU_TANH:
    both_of(y, slopes, x, count, gelu_tanh);
    break;
  case HEED_FORM_RELU:
    both_of(y, slopes, x, count, relu);
    break;
  }
}

void HEED_KERNEL(activation_backward)(void *d_x, const float *d_y, const void *slopes, int64_t count) {
  heed_element *to = d_x;
  const heed_element *by = slopes;
#pragma omp for schedule(static)
  for (int64_t first = 0; first < count; first += BLOCK) {
    int64_t end = heed_at_most(count, first + BLOCK);
#pragma omp simd
    for (int64_t i = first; i < end; i++)
      to[i] = heed_element_of(d_y[i] * heed_value_of(by[i]));
  }
}

void HEED_KERNEL(tanh_forward)(void *y, const void *x, int64_t count) {
  heed_element *to = y;
  const heed_element *from = x;
#pragma omp for schedule(static)
  for (int64_t first = 0; first < count; first += BLOCK) {
    int64_t end = heed_at_most(count, first + BLOCK);
#pragma omp simd
    for (int64_t i = first; i < end; i++)
      to[i] = heed_element_of(heed_tanh(heed_value_of(from[i])));
  }
}

void HEED_KERNEL(tanh_backward)(void *d_x, const void *d_y, const void *y, int64_t count) {
  heed_element *to = d_x;
  const heed_element *d = d_y, *at = y;
#pragma omp for schedule(static)
  for (int64_t first = 0; first < count; first += BLOCK) {
    int64_t end = heed_at_most(count, first + BLOCK);
#pragma omp simd
    for (int64_t i = first; i < end; i++) {
      float value = heed_value_of(at[i]);
      to[i] = heed_element_of(heed_value_of(d[i]) * heed_fma(-value, value, 1.0f));
    }
  }
}
