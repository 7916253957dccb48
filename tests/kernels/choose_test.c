/* Which table is chosen: HEED_ISA pins, the ceiling bounds, what is unknown is refused. */
#include "kernels/kernel_test.h"

static void pinned(void) {
  const heed_kernels *best = heed_kernels_choose(NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(best);
  setenv("HEED_ISA", "", 1);
  CU_ASSERT_PTR_EQUAL(heed_kernels_choose(NULL), best); /* set but empty: as if it were not */
  setenv("HEED_ISA", "v9", 1);
  CU_ASSERT_PTR_NULL(heed_kernels_choose(NULL));
  if (strncmp(best->isa, "x86-64-", 7) == 0) {
    setenv("HEED_ISA", "v2", 1);
    CU_ASSERT_STRING_EQUAL(heed_kernels_choose(NULL)->isa, "x86-64-v2");
    setenv("HEED_ISA", best->isa + 7, 1);
    CU_ASSERT_PTR_EQUAL(heed_kernels_choose(NULL), best);
    if (strcmp(best->isa, "x86-64-v4") != 0) {
      setenv("HEED_ISA", "v4", 1);
      CU_ASSERT_PTR_NULL(heed_kernels_choose(NULL)); /* never run what the processor lacks */
    }
  }
  unsetenv("HEED_ISA");
}

static void bounded(void) {
  const heed_kernels *best = heed_kernels_choose(NULL);
  CU_ASSERT_PTR_EQUAL(heed_kernels_choose(best->isa), best);
  if (strncmp(best->isa, "x86-64-", 7) != 0)
    return;
  CU_ASSERT_STRING_EQUAL(heed_kernels_choose("x86-64-v2")->isa, "x86-64-v2");
  CU_ASSERT_PTR_EQUAL(heed_kernels_choose("x86-64-v4"), best); /* a ceiling above changes nothing */
}

static void complete(void) {
  const heed_kernels *kernels = heed_kernels_choose(NULL);
  void (*slots[sizeof *kernels / sizeof(void (*)(void))])(void);
  memcpy(slots, kernels, sizeof slots);
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
    CU_ASSERT(slots[i] != NULL);
  CU_ASSERT_EQUAL(kernels->scratch_floats(8, 512, 64) % 16, 0);
}

HEED_TESTS({"HEED_ISA pins a level or is refused", pinned}, {"a ceiling bounds the level", bounded}, {"no slot is empty", complete})
