/* The elementary functions themselves, at this program's instruction level. */
#include "kernels/vector_math.h"

#include <float.h>

#include "reference/numbers.h"
#include "test.h"

/** Largest error in ulps of f against g on `steps` points of [low, high]. */
static double worst(float (*f)(float), double (*g)(double), double low, double high, int steps) {
  double most = 0.0;
  for (int i = 0; i <= steps; i++) {
    float x = (float)(low + (high - low) * i / steps);
    most = fmax(most, test_ulps(f(x), g((double)x)));
  }
  return most;
}

static float own_cdf(float x) {
  return heed_normal_of(x).cdf;
}
static double true_cdf(double x) {
  return 0.5 * erfc(-x * 0.70710678118654752440);
}
static float own_erf(float x) { /* what GELU's Φ stands for */
  return 2.0f * heed_normal_of(x * 1.41421356f).cdf - 1.0f;
}

static void exponential(void) {
  CU_ASSERT(worst(heed_exp, exp, -87.0, 88.7, 2000000) < 1.1);
  CU_ASSERT(worst(heed_exp, exp, -0.5, 0.5, 500000) < 1.1);
  CU_ASSERT(worst(heed_exp, exp, -103.9, -87.4, 100000) < 1.1); /* below the normal range */
  CU_ASSERT(heed_exp(INFINITY) == INFINITY && heed_exp(-INFINITY) == 0.0f && isnan(heed_exp(NAN)) && isnan(heed_exp(-NAN)));
  CU_ASSERT(heed_exp(0.0f) == 1.0f && heed_exp(-0.0f) == 1.0f && heed_exp(89.0f) == INFINITY && heed_exp(-104.0f) == 0.0f);
  CU_ASSERT(heed_exp(FLT_MAX) == INFINITY && heed_exp(-FLT_MAX) == 0.0f);
}

static void tangent(void) {
  CU_ASSERT(worst(heed_tanh, tanh, -10.0, 10.0, 1000000) < 2.0);
  CU_ASSERT(worst(heed_tanh, tanh, -1e-3, 1e-3, 10000) < 1.0);
}

static void normal(void) {
  CU_ASSERT(worst(own_cdf, true_cdf, -1.0, 14.0, 1000000) < 4.0);
  for (int i = 0; i <= 1000; i++) { /* erf to the last place of 1 */
    float x = (float)i * 0.005f;
    CU_ASSERT_FATAL(fabs((double)own_erf(x) - erf((double)x)) < 2.5e-7);
  }
  CU_ASSERT(own_cdf(INFINITY) == 1.0f && own_cdf(-INFINITY) == 0.0f && isnan(own_cdf(NAN)) && isnan(heed_normal_of(NAN).density));
}

static void logarithm(void) {
  double most = 0.0;
  for (int i = 0; i < 1000000; i++) {
    double x = 1.0 + (double)i * i * 1e-7, want = log(x);
    most = fmax(most, fabs(heed_log(x) - want) / fmax(want, 0.1));
  }
  CU_ASSERT(most < 1e-15);
  CU_ASSERT(heed_log(1.0) == 0.0 && heed_log(INFINITY) == INFINITY && isnan(heed_log(NAN)));
}

HEED_TESTS({"exp", exponential}, {"tanh", tangent}, {"the normal distribution", normal}, {"log", logarithm})
