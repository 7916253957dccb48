/** Activations and gated activations in double, from the C library's functions. */
#ifndef HEED_TESTS_REFERENCE_ACTIVATION_H
#define HEED_TESTS_REFERENCE_ACTIVATION_H

#include <math.h>
#include <stdbool.h>

#include "kernels/kernels.h"

static const double reference_root_two_over_pi = 0.79788456080286535588, reference_root_half = 0.70710678118654752440;

static inline double reference_gelu(double x, bool tanh_form) {
  if (tanh_form) /* ½·(1 + tanh u) = 1/(1 + e^(−2u)) keeps the lower tail */
    return x / (1.0 + exp(-2.0 * reference_root_two_over_pi * (x + 0.044715 * x * x * x)));
  return x * 0.5 * erfc(-x * reference_root_half);
}

static inline double reference_gelu_slope(double x, bool tanh_form) {
  if (tanh_form) {
    double e = exp(-2.0 * reference_root_two_over_pi * (x + 0.044715 * x * x * x)), s = 1.0 / (1.0 + e);
    return s + x * s * (isinf(e) ? 1.0 : e * s) * 2.0 * reference_root_two_over_pi * (1.0 + 3.0 * 0.044715 * x * x);
  }
  return 0.5 * erfc(-x * reference_root_half) + x * exp(-0.5 * x * x) * 0.5 * reference_root_two_over_pi;
}

static inline double reference_activation(double x, heed_form form) {
  return form == HEED_FORM_RELU ? fmax(x, 0.0) : reference_gelu(x, form == HEED_FORM_GELU_TANH);
}

static inline double reference_activation_slope(double x, heed_form form) {
  return form == HEED_FORM_RELU ? (double)(x > 0.0) : reference_gelu_slope(x, form == HEED_FORM_GELU_TANH);
}

/** y[T, F] = act(first half of x[T, 2F]) · second half (Shazeer 2020). */
static inline void reference_gated_forward(double *y, const double *x, int64_t tokens, int64_t width, heed_form form) {
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t f = 0; f < width; f++)
      y[t * width + f] = reference_activation(x[t * 2 * width + f], form) * x[t * 2 * width + width + f];
}

static inline void reference_gated_backward(double *d_x, const double *d_y, const double *x, int64_t tokens, int64_t width,
                                            heed_form form) {
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t f = 0; f < width; f++) {
      double a = x[t * 2 * width + f], gate = x[t * 2 * width + width + f], d = d_y[t * width + f];
      d_x[t * 2 * width + f] = d * gate * reference_activation_slope(a, form);
      d_x[t * 2 * width + width + f] = d * reference_activation(a, form);
    }
}

#endif
