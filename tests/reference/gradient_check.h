/** For tests: does a gradient fit its function?  Central differences in double along a fixed direction d:
 *
 *      (f(x + h·d) − f(x − h·d)) / 2h = g·d + O(h²)
 *
 *  A right gradient shows in two ways: the error is small, and it falls as h² when the step does.  A wrong one leaves an error that
 *  stays as it is. */
#ifndef HEED_TESTS_REFERENCE_GRADIENT_CHECK_H
#define HEED_TESTS_REFERENCE_GRADIENT_CHECK_H

#include <stdbool.h>

#include "reference/numbers.h"

typedef double (*test_function)(const double *x, const void *data);

static inline double test_gradient_error(test_function f, const void *data, const double *x, const double *gradient, int64_t count,
                                         double h) {
  double *moved = test_doubles(count), along = 0.0, size = 0.0;
  for (int64_t i = 0; i < count; i++) {
    double direction = test_number(99, i);
    along += gradient[i] * direction;
    size += fabs(gradient[i] * direction);
    moved[i] = x[i] + h * direction;
  }
  double above = f(moved, data);
  for (int64_t i = 0; i < count; i++)
    moved[i] = x[i] - h * test_number(99, i);
  double below = f(moved, data);
  return fabs((above - below) / (2.0 * h) - along) / (size + 1e-300);
}

static inline bool test_gradient_holds(test_function f, const void *data, const double *x, const double *gradient, int64_t count) {
  double coarse = test_gradient_error(f, data, x, gradient, count, 1e-2), fine = test_gradient_error(f, data, x, gradient, count, 1e-3);
  return fine < 1e-10 || (fine < 1e-4 && fine < coarse / 30.0);
}

#endif
