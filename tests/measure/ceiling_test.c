/* Ceilings: high enough to be ceilings.  The machine may be busy, so only what holds by a wide margin is asked. */
#include "measure/ceiling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "test.h"

/* One chain of scalar multiply-adds, each waiting for the one before it: the least that a processor gives. */
static double one_chain(void) {
  enum { ROUNDS = 2000000 };
  volatile float begin = 1.0f, sink;
  float x = begin;
  double best = 0;
  for (int run = 0; run < 5; run++) {
    double before = heed_seconds();
    for (int i = 0; i < ROUNDS; i++)
      x = x * 0.5f + 1.0f;
    sink = x;
    double rate = 2.0 * ROUNDS / (heed_seconds() - before);
    best = rate > best ? rate : best;
  }
  (void)sink;
  return best;
}

static void multiply_adds_are_many(void) {
  double flops = 0, least = one_chain();
  heed_ceiling_raise_flops(&flops, HEED_FP32, heed_alone());
  printf("%.1f GFLOP/s, a chain alone %.2f  ", flops / 1e9, least / 1e9);
  CU_ASSERT(isfinite(flops));
  CU_ASSERT(flops > 4 * least);
}

/* Products of bf16 are at least as fast as those of fp32, in which they are made where nothing else is there. */
static void bf16_is_no_slower(void) {
  double fp32 = 0, bf16 = 0;
  heed_ceiling_raise_flops(&fp32, HEED_FP32, heed_alone());
  heed_ceiling_raise_flops(&bf16, HEED_BF16, heed_alone());
  printf("%.1f GFLOP/s of fp32, %.1f of bf16  ", fp32 / 1e9, bf16 / 1e9);
  CU_ASSERT(bf16 > 0.7 * fp32);
}

/* A copy within the first cache is faster than memory, but not a thousand times. */
static void memory_is_between(void) {
  enum { BYTES = 16384, COPIES = 20000 };
  static char from[BYTES], to[BYTES];
  double bandwidth = 0, before = heed_seconds();
  for (int i = 0; i < COPIES; i++) {
    from[i % BYTES]++;
    memcpy(to, from, BYTES);
    __asm__ volatile("" ::"r"(to) : "memory");
  }
  double cache = 2.0 * BYTES * COPIES / (heed_seconds() - before);
  CU_ASSERT_EQUAL(heed_ceiling_raise_bandwidth(&bandwidth, heed_alone(), 1), HEED_OK);
  printf("%.1f GB/s, first cache %.1f  ", bandwidth / 1e9, cache / 1e9);
  CU_ASSERT(bandwidth > cache / 1000);
  CU_ASSERT(isfinite(bandwidth));
}

static void a_rank_alone_is_the_sum(void) {
  CU_ASSERT_EQUAL(heed_ceiling_sum(2.5, heed_alone()), 2.5);
}

HEED_TESTS({"multiply-adds are many", multiply_adds_are_many}, {"bf16 is no slower", bf16_is_no_slower},
           {"memory is between", memory_is_between}, {"a rank alone is the sum", a_rank_alone_is_the_sum})
