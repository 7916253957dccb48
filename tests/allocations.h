/** Counts the allocations that Heed's own code makes, and lets one of them fail.  The linker sends its calls here for tests with the line
 *  "wrap: malloc calloc realloc aligned_alloc mmap" (tests/CMakeLists.txt). */
#ifndef HEED_TESTS_ALLOCATIONS_H
#define HEED_TESTS_ALLOCATIONS_H

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

/** `allocations` since the test last set it to 0; number `failing_allocation` of them has no memory (0: none fails). */
static int allocations, failing_allocation;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);

static bool allocation_fails(void) {
  return __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) == failing_allocation;
}

void *__wrap_malloc(size_t bytes) {
  return allocation_fails() ? NULL : __real_malloc(bytes);
}
void *__wrap_calloc(size_t count, size_t bytes) {
  return allocation_fails() ? NULL : __real_calloc(count, bytes);
}
void *__wrap_realloc(void *old, size_t bytes) {
  return allocation_fails() ? NULL : __real_realloc(old, bytes);
}
void *__wrap_aligned_alloc(size_t alignment, size_t bytes) {
  return allocation_fails() ? NULL : __real_aligned_alloc(alignment, bytes);
}
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset) {
  return allocation_fails() ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, file, offset);
}

#endif
