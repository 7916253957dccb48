/** GELU in both forms and tanh, in double, from the C library's functions. */
#ifndef HEED_TESTS_REFERENCE_ACTIVATION_H
#define HEED_TESTS_REFERENCE_ACTIVATION_H

#include <math.h>
#include <stdbool.h>

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

#endif
