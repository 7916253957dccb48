/* Which table is chosen: HEED_ISA pins, the ceiling bounds, what is unknown is refused. */
#include "kernels/choose.h"

#include "kernels/kernel_test.h"

static const char *const pins[] = {"v2", "v3", "v4", "v4-bf16", "v4-amx"};
enum { PINS = sizeof pins / sizeof *pins };

/* The place of a level in the list; −1: generic. */
static int place_of(const heed_kernels *kernels) {
  for (int i = 0; i < PINS; i++)
    if (strcmp(kernels->isa + 7, pins[i]) == 0)
      return i;
  return -1;
}

static void pinned(void) {
  const heed_kernels *best = heed_kernels_choose(NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(best);
  setenv("HEED_ISA", "", 1);
  CU_ASSERT_PTR_EQUAL(heed_kernels_best(), best);
  CU_ASSERT_PTR_EQUAL(heed_kernels_choose(NULL), best); /* set but empty: as if it were not */
  setenv("HEED_ISA", "v9", 1);
  CU_ASSERT_PTR_NULL(heed_kernels_choose(NULL));
  for (int i = 0; strncmp(best->isa, "x86-64-", 7) == 0 && i < PINS; i++) {
    setenv("HEED_ISA", pins[i], 1);
    const heed_kernels *kernels = heed_kernels_choose(NULL);
    CU_ASSERT_PTR_EQUAL(heed_kernels_best(), best); /* whatever is pinned */
    if (i > place_of(best))
      CU_ASSERT_PTR_NULL(kernels) /* never run what the processor lacks */
    else
      CU_ASSERT(kernels && place_of(kernels) == i);
    char whole[32];
    snprintf(whole, sizeof whole, "x86-64-%s", pins[i]); /* what is printed */
    setenv("HEED_ISA", whole, 1);
    CU_ASSERT_PTR_EQUAL(heed_kernels_choose(NULL), kernels);
  }
  unsetenv("HEED_ISA");
}

static void bounded(void) {
  const heed_kernels *best = heed_kernels_choose(NULL);
  CU_ASSERT_PTR_EQUAL(heed_kernels_choose(best->isa), best);
  for (int i = 0; strncmp(best->isa, "x86-64-", 7) == 0 && i < PINS; i++) {
    char ceiling[32];
    snprintf(ceiling, sizeof ceiling, "x86-64-%s", pins[i]);
    int place = place_of(best);
    CU_ASSERT_EQUAL(place_of(heed_kernels_choose(ceiling)), i < place ? i : place); /* a ceiling above changes nothing */
  }
}

/* Both tables of each level: the pointers of a table lie behind its name and size. */
static void check_complete(const heed_kernels *kernels) {
  void (*slots[(sizeof *kernels - offsetof(heed_kernels, scratch_floats)) / sizeof(void (*)(void))])(void);
  memcpy(slots, (const char *)kernels + offsetof(heed_kernels, scratch_floats), sizeof slots);
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
    CU_ASSERT(slots[i] != NULL);
  CU_ASSERT_EQUAL(kernels->scratch_floats(8, 512, 64, 768) % 16, 0);
}
static void check_elements(const heed_kernels *kernels) {
  CU_ASSERT_EQUAL(kernels->element_bytes, 4);
  CU_ASSERT_EQUAL(kernels->bf16->element_bytes, 2);
  CU_ASSERT_STRING_EQUAL(kernels->bf16->isa, kernels->isa);
}

static void complete(void) {
  test_each_element(check_complete);
}
static void elements(void) {
  test_each_level(check_elements);
}

HEED_TESTS({"HEED_ISA pins a level or is refused", pinned}, {"a ceiling bounds the level", bounded}, {"no slot is empty", complete},
           {"a level has a table for each kind of element", elements})
