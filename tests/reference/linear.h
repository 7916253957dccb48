/** Linear layers in double, as written on paper. */
#ifndef HEED_TESTS_REFERENCE_LINEAR_H
#define HEED_TESTS_REFERENCE_LINEAR_H

#include <stdint.h>

static inline void reference_linear_forward(double *y, const double *x, const double *w, const double *bias, int64_t rows, int64_t inputs,
                                            int64_t outputs) {
  for (int64_t t = 0; t < rows; t++)
    for (int64_t o = 0; o < outputs; o++) {
      double sum = bias ? bias[o] : 0.0;
      for (int64_t i = 0; i < inputs; i++)
        sum += x[t * inputs + i] * w[o * inputs + i];
      y[t * outputs + o] = sum;
    }
}

/** d_x is written, d_w and d_bias (NULL: none) are added to. */
static inline void reference_linear_backward(double *d_x, double *d_w, double *d_bias, const double *d_y, const double *x, const double *w,
                                             int64_t rows, int64_t inputs, int64_t outputs) {
  for (int64_t i = 0; i < rows * inputs; i++)
    d_x[i] = 0.0;
  for (int64_t t = 0; t < rows; t++)
    for (int64_t o = 0; o < outputs; o++) {
      double d = d_y[t * outputs + o];
      if (d_bias)
        d_bias[o] += d;
      for (int64_t i = 0; i < inputs; i++) {
        d_x[t * inputs + i] += d * w[o * inputs + i];
        d_w[o * inputs + i] += d * x[t * inputs + i];
      }
    }
}

#endif
