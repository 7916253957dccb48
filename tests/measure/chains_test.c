/* The loops of the ceilings: they do as many multiply-adds as they say, and leave the tiles of the thread as they were. */
#include "measure/chains.h"

#include <math.h>

#include "test.h"

static void chains_end_where_they_must(void) {
  heed_chains fp32 = heed_chains_fp32();
  CU_ASSERT_PTR_NOT_NULL_FATAL(fp32.run);
  CU_ASSERT(isfinite(fp32.run()));
  CU_ASSERT(fp32.flops >= 2.0 * 24 * HEED_CHAIN_ROUNDS);
}

/* Every lane counts its own, so the sum of all is the number of multiply-adds. */
static void check_count(const char *name, heed_chains chains) {
  if (!chains.run) {
    printf("no %s here: skipped  ", name);
    return;
  }
  CU_ASSERT_EQUAL(chains.run(), chains.flops / 2);
  CU_ASSERT_EQUAL(chains.run(), chains.flops / 2);
}

static void bf16_counts_are_right(void) {
  check_count("AMX", heed_chains_amx());
  check_count("AVX512-BF16", heed_chains_avx512_bf16());
}

static void on_every_thread(void) {
  heed_chains chains = heed_chains_amx();
  int wrong = 0;
#pragma omp parallel num_threads(4) reduction(+ : wrong)
  wrong += chains.run && chains.run() != chains.flops / 2;
  CU_ASSERT_EQUAL(wrong, 0);
}

static void a_precision_has_its_chains(void) {
  heed_chains amx = heed_chains_amx(), vectors = heed_chains_avx512_bf16(), fp32 = heed_chains_fp32();
  CU_ASSERT(heed_chains_of(HEED_FP32).run == fp32.run);
  CU_ASSERT(heed_chains_of(HEED_BF16).run == (amx.run ? amx.run : vectors.run ? vectors.run : fp32.run));
}

HEED_TESTS({"chains end where they must", chains_end_where_they_must}, {"bf16 counts are right", bf16_counts_are_right},
           {"on every thread", on_every_thread}, {"a precision has its chains", a_precision_has_its_chains})
