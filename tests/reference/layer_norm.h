/** Layer normalisation in double (Ba et al. 2016, eq. 4). */
#ifndef HEED_TESTS_REFERENCE_LAYER_NORM_H
#define HEED_TESTS_REFERENCE_LAYER_NORM_H

#include <math.h>
#include <stdint.h>

static inline void reference_layer_norm_moments(double *mean, double *rstd, const double *x, int64_t width, double epsilon) {
  double sum = 0.0, squares = 0.0;
  for (int64_t c = 0; c < width; c++)
    sum += x[c];
  *mean = sum / (double)width;
  for (int64_t c = 0; c < width; c++)
    squares += (x[c] - *mean) * (x[c] - *mean);
  *rstd = 1.0 / sqrt(squares / (double)width + epsilon);
}

static inline void reference_layer_norm_forward(double *y, const double *x, const double *gamma, const double *beta, int64_t tokens,
                                                int64_t width, double epsilon) {
  for (int64_t t = 0; t < tokens; t++) {
    double mean, rstd;
    reference_layer_norm_moments(&mean, &rstd, x + t * width, width, epsilon);
    for (int64_t c = 0; c < width; c++)
      y[t * width + c] = (x[t * width + c] - mean) * rstd * gamma[c] + (beta ? beta[c] : 0.0);
  }
}

/** d_x written; d_gamma, d_beta (NULL: none) added to.  Worked out element by element: ∂y_k/∂x_c = γ_k·rstd·([k = c] − 1/C − x̂_k·x̂_c/C). */
static inline void reference_layer_norm_backward(double *d_x, double *d_gamma, double *d_beta, const double *d_y, const double *x,
                                                 const double *gamma, int64_t tokens, int64_t width, double epsilon) {
  for (int64_t t = 0; t < tokens; t++) {
    const double *row = x + t * width, *d = d_y + t * width;
    double mean, rstd;
    reference_layer_norm_moments(&mean, &rstd, row, width, epsilon);
    for (int64_t c = 0; c < width; c++) {
      double normal = (row[c] - mean) * rstd, sum = 0.0;
      d_gamma[c] += d[c] * normal;
      if (d_beta)
        d_beta[c] += d[c];
      for (int64_t k = 0; k < width; k++)
        sum += d[k] * gamma[k] * rstd * ((k == c) - (1.0 + (row[k] - mean) * rstd * normal) / (double)width);
      d_x[t * width + c] = sum;
    }
  }
}

#endif
