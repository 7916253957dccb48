/* Normal numbers made many at a time have the bits of a twin that makes them one by one. */
#include "base/normal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heed/random.h"
#include "test.h"

enum { COUNT = 100003, TENSOR = 3, SEED = 77 };

static double slow_log(double u) {
  int exponent;
  double m = frexp(u, &exponent), sum = 0.0;
  if (m < 0.7071067811865476) {
    m *= 2.0;
    exponent--;
  }
  volatile double s = (m - 1.0) / (m + 1.0); /* volatile: no fused steps, whatever the compiler was told */
  for (int k = 21; k >= 1; k -= 2) {
    volatile double square = s * s, product = sum * square;
    sum = product + 1.0 / k;
  }
  volatile double fraction = 2.0 * s * sum, whole = exponent * 0.6931471805599453;
  return fraction + whole;
}

static double slow_cosine(double u) {
  double v = fabs(u - 0.5), sign = v > 0.25 ? 1.0 : -1.0, sum = 0.0;
  v = v > 0.25 ? 0.5 - v : v;
  volatile double x = 6.283185307179586 * v, square = x * -x;
  for (int k = 24; k >= 2; k -= 2) {
    volatile double factor = square * (1.0 / (k * (k - 1))), next = 1.0 + sum;
    sum = next * factor;
  }
  return sign * (1.0 + sum);
}

static float slow_normal(int64_t element, double deviation, bool truncated) {
  for (uint32_t attempt = 0;; attempt++) {
    heed_random4 r = heed_philox((uint32_t)element, (uint32_t)((uint64_t)element >> 32), attempt, TENSOR, SEED, HEED_FOR_INITIALISATION);
    double normal = sqrt(-2.0 * slow_log(heed_uniform(r.word[0]))) * slow_cosine(heed_uniform(r.word[1]));
    if (!truncated || fabs(normal) <= 2.0)
      return (float)(deviation * normal);
  }
}

static void check_bits(int64_t first, bool truncated) {
  float *values = malloc(COUNT * sizeof *values);
  CU_ASSERT_PTR_NOT_NULL_FATAL(values);
  heed_normal_fill(values, first, COUNT, 0.02f, TENSOR, SEED, truncated);
  int wrong = 0;
  for (int64_t i = 0; i < COUNT; i++)
    wrong += values[i] != slow_normal(first + i, 0.02f, truncated);
  CU_ASSERT_EQUAL(wrong, 0);
  free(values);
}

static void many_have_the_bits_of_one(void) {
  check_bits(0, false);
  check_bits(0, true);
  check_bits((INT64_C(1) << 32) - COUNT / 2, true); /* where the second word of an element begins */
}

/* A piece of a tensor is what the whole has there. */
static void pieces_are_those_of_the_whole(void) {
  static float whole[5000], piece[5000];
  heed_normal_fill(whole, 0, 5000, 1, TENSOR, SEED, true);
  for (int64_t first = 0, length = 1; first + length <= 5000; first += length, length = length * 2 + 1) {
    heed_normal_fill(piece, first, length, 1, TENSOR, SEED, true);
    CU_ASSERT_EQUAL(memcmp(piece, whole + first, (size_t)length * sizeof *piece), 0);
  }
}

HEED_TESTS({"many have the bits of one", many_have_the_bits_of_one}, {"pieces are those of the whole", pieces_are_those_of_the_whole})
