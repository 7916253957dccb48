#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static void some_is_available(void) {
  size_t available = heed_memory_available();
  CU_ASSERT(available > 16 << 20 && available != SIZE_MAX);
  CU_ASSERT(available <= heed_memory_limit());
  CU_ASSERT(heed_memory_of_machine() > 16 << 20);
}

/* What is touched is counted, what is only asked for is not. */
static void what_is_touched_is_resident(void) {
  enum { BYTES = 64 << 20 };
  size_t before = heed_memory_resident();
  char *block = malloc(BYTES);
  CU_ASSERT_PTR_NOT_NULL_FATAL(block);
  size_t asked = heed_memory_resident();
  memset(block, 1, BYTES);
  __asm__ volatile("" ::"r"(block) : "memory");
  size_t touched = heed_memory_resident();
  CU_ASSERT(before > 1 << 20);
  CU_ASSERT(asked < before + BYTES / 2);
  CU_ASSERT(touched >= asked + BYTES / 8 * 7);
  free(block);
}

/* Zeros, of which those are resident that were touched. */
static void fresh_blocks_are_taken_as_they_are_touched(void) {
  enum { FLOATS = 16 << 20, BYTES = 4 * FLOATS, FAR = 2 << 20 };
  for (int large_pages = 0; large_pages < 2; large_pages++) {
    const size_t before = heed_memory_resident();
    float *block = heed_memory_fresh(FLOATS, large_pages), sum = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    for (int64_t i = 0; i < FLOATS; i += FAR)
      block[i] = 1;
    const size_t touched = heed_memory_resident() - before;
    CU_ASSERT(touched <= (large_pages ? BYTES / 4 * 3 : BYTES / 8));
    for (int64_t i = 0; i < FLOATS; i++)
      sum += block[i];
    CU_ASSERT_EQUAL(sum, FLOATS / FAR);
    free(block);
  }
}

HEED_TESTS({"some is available", some_is_available}, {"what is touched is resident", what_is_touched_is_resident},
           {"fresh blocks are taken as they are touched", fresh_blocks_are_taken_as_they_are_touched})
