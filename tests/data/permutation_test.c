#include "data/permutation.h"

#include <stdlib.h>

#include "test.h"

static const int64_t SIZES[] = {1, 2, 3, 4, 5, 7, 8, 9, 100, 1000, 1024, 1025, 65536, 65537};

static void bijection(void) {
  for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++)
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
      int64_t n = SIZES[i], distinct = 0;
      char *seen = calloc((size_t)n, 1);
      for (int64_t index = 0; index < n; index++) {
        int64_t value = heed_permute(index, n, 42, epoch);
        CU_ASSERT_FATAL(value >= 0 && value < n);
        distinct += !seen[value];
        seen[value] = 1;
      }
      CU_ASSERT_EQUAL(distinct, n);
      free(seen);
    }
}

static int64_t places_alike(int64_t n, uint32_t seed1, uint64_t epoch1, uint32_t seed2, uint64_t epoch2) {
  int64_t alike = 0;
  for (int64_t index = 0; index < n; index++)
    alike += heed_permute(index, n, seed1, epoch1) == heed_permute(index, n, seed2, epoch2);
  return alike;
}

/* Two random permutations agree in one place on average (Poisson): more than 12 has a chance below 1e-9. */
static void epochs_and_seeds_differ(void) {
  CU_ASSERT_EQUAL(places_alike(1000, 1, 0, 1, 0), 1000);
  CU_ASSERT(places_alike(1000, 1, 0, 1, 1) <= 12);
  CU_ASSERT(places_alike(1000, 1, 0, 2, 0) <= 12);
  CU_ASSERT(places_alike(1000, 1, 0, 1, UINT64_C(1) << 32) <= 12);
  CU_ASSERT(places_alike(1000, 1, 7, 1, UINT64_C(7) << 32) <= 12);
}

/* All 24 orders of four, over 24,000 epochs: chi² has 23 degrees of freedom; above 70 has a chance near 1e-6. */
static void orders_of_four_are_alike(void) {
  int count[256] = {0};
  double chi2 = 0;
  for (uint64_t epoch = 0; epoch < 24000; epoch++) {
    int64_t code = 0;
    for (int64_t index = 0; index < 4; index++)
      code = code * 4 + heed_permute(index, 4, 9, epoch);
    count[code]++;
  }
  int orders = 0;
  for (int code = 0; code < 256; code++)
    if (count[code]) {
      orders++;
      chi2 += (count[code] - 1000.0) * (count[code] - 1000.0) / 1000;
    }
  CU_ASSERT_EQUAL(orders, 24);
  CU_ASSERT(chi2 < 70);
}

/* Where each of 11 places goes, over 22,000 epochs: 11 rows of 10 degrees of freedom. */
static void places_are_alike(void) {
  enum { N = 11, EPOCHS = 22000 };
  int count[N][N] = {{0}};
  double expected = (double)EPOCHS / N;
  for (uint64_t epoch = 0; epoch < EPOCHS; epoch++)
    for (int64_t index = 0; index < N; index++)
      count[index][heed_permute(index, N, 3, epoch)]++;
  for (int i = 0; i < N; i++) {
    double chi2 = 0;
    for (int j = 0; j < N; j++)
      chi2 += (count[i][j] - expected) * (count[i][j] - expected) / expected;
    CU_ASSERT(chi2 < 45);
  }
}

/* Neighbours do not stay together: in a random order of n, the number of i with p(i + 1) = p(i) + 1 is Poisson(1). */
static void neighbours_part(void) {
  int64_t n = 100000, together = 0;
  double correlation = 0;
  for (int64_t index = 0; index + 1 < n; index++) {
    int64_t here = heed_permute(index, n, 5, 2), next = heed_permute(index + 1, n, 5, 2);
    together += next == here + 1;
    correlation += ((double)here / (double)n - 0.5) * ((double)next / (double)n - 0.5);
  }
  CU_ASSERT(together <= 12);
  CU_ASSERT(correlation / (double)n * 12 < 4 / 316.0 && correlation / (double)n * 12 > -4 / 316.0); /* 4σ, σ = 1/√n */
}

static void large(void) {
  int64_t n = ((int64_t)1 << 61) + 12345, sum_high = 0;
  for (int64_t index = 0; index < 1000; index++) {
    int64_t value = heed_permute(index, n, 1, 0);
    CU_ASSERT(value >= 0 && value < n);
    sum_high += value > n / 2;
  }
  CU_ASSERT(sum_high > 400 && sum_high < 600);
}

HEED_TESTS({"each size is permuted without loss", bijection}, {"epochs and seeds differ", epochs_and_seeds_differ},
           {"all orders of four are alike", orders_of_four_are_alike}, {"all places are alike", places_are_alike},
           {"neighbours part", neighbours_part}, {"sizes beyond 32 bits", large})
