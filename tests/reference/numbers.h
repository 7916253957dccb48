/** For tests: numbers that look random but are the same each time, memory that a case gives back at its end, and how far off a result is.
 */
#ifndef HEED_TESTS_REFERENCE_NUMBERS_H
#define HEED_TESTS_REFERENCE_NUMBERS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heed/random.h"

enum { TEST_POOL = 512 };
static void *test_pool[TEST_POOL];
static int test_pool_count;

/** Zeroed memory, 64-byte aligned, until test_release. */
static inline void *test_memory(int64_t count, size_t size) {
  size_t bytes = ((size_t)count * size + 64) / 64 * 64;
  void *memory = test_pool_count < TEST_POOL ? aligned_alloc(64, bytes) : NULL;
  if (!memory) {
    fputs("test: out of memory\n", stderr);
    exit(2);
  }
  test_pool[test_pool_count++] = memory;
  return memset(memory, 0, bytes);
}

static inline float *test_floats(int64_t count) {
  return test_memory(count, sizeof(float));
}
static inline double *test_doubles(int64_t count) {
  return test_memory(count, sizeof(double));
}

/** Gives back what was taken since the pool had `mark` pieces. */
static inline void test_release_to(int mark) {
  while (test_pool_count > mark)
    free(test_pool[--test_pool_count]);
}
static inline void test_release(void) {
  test_release_to(0);
}

/** Uniform in (−1, 1): number `i` of row `which`. */
static inline double test_number(uint32_t which, int64_t i) {
  return 2.0 * heed_uniform(heed_philox((uint32_t)i, which, 0, 0, 7, HEED_FOR_SYNTHETIC).word[0]) - 1.0;
}

/** `count` numbers uniform in (−scale, scale). */
static inline float *test_random(int64_t count, uint32_t which, double scale) {
  float *x = test_floats(count);
  for (int64_t i = 0; i < count; i++)
    x[i] = (float)(scale * test_number(which, i));
  return x;
}

static inline double *test_widen(const float *x, int64_t count) {
  double *wide = test_doubles(count);
  for (int64_t i = 0; i < count; i++)
    wide[i] = (double)x[i];
  return wide;
}

/** ‖got − want‖ / ‖want‖; ∞ when anything is not a number. */
static inline double test_error(const float *got, const double *want, int64_t count) {
  double off = 0.0, size = 0.0;
  for (int64_t i = 0; i < count; i++) {
    off += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
    size += want[i] * want[i];
  }
  return isfinite(off) ? sqrt(off) / (sqrt(size) + 1e-300) : INFINITY;
}

/** |got − want| in units of the last place of a float of want's size. */
static inline double test_ulps(float got, double want) {
  int exponent;
  frexp(want, &exponent);
  return fabs((double)got - want) / ldexp(1.0, (exponent < -125 ? -125 : exponent) - 24);
}

#endif
