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

HEED_TESTS({"some is available", some_is_available}, {"what is touched is resident", what_is_touched_is_resident})
