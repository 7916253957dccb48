#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "test.h"

static void reserves_aligned(void) {
  heed_arena arena = {.name = "test"};
  size_t a = heed_arena_reserve(&arena, 3, 1), b = heed_arena_reserve(&arena, 0, 8), c = heed_arena_reserve(&arena, 65, 1),
         d = heed_arena_reserve(&arena, 1, 1);
  CU_ASSERT_EQUAL(a, 0);
  CU_ASSERT_EQUAL(b, 64);
  CU_ASSERT_EQUAL(c, 64);
  CU_ASSERT_EQUAL(d, 192);
  CU_ASSERT_EQUAL_FATAL(heed_arena_commit(&arena), HEED_OK);
  CU_ASSERT_EQUAL(arena.capacity, 256);
  CU_ASSERT_EQUAL((uintptr_t)heed_arena_at(&arena, d) % 64, 0);
  memset(heed_arena_at(&arena, 0), 1, arena.capacity);
  heed_arena_free(&arena);
  CU_ASSERT_PTR_NULL(arena.base);
  CU_ASSERT_STRING_EQUAL(arena.name, "test");
}

static void lifetimes_that_do_not_meet_share(void) {
  heed_arena arena = {.name = "test"};
  heed_arena_reserve(&arena, 64, 1);
  size_t mark = heed_arena_mark(&arena);
  size_t first = heed_arena_reserve(&arena, 1000, 4);
  heed_arena_release(&arena, mark);
  size_t second = heed_arena_reserve(&arena, 10, 4);
  CU_ASSERT_EQUAL(first, 64);
  CU_ASSERT_EQUAL(second, first);
  CU_ASSERT_EQUAL_FATAL(heed_arena_commit(&arena), HEED_OK);
  CU_ASSERT_EQUAL(arena.capacity, 64 + 4032); /* the peak, not what is reserved at the end */
  heed_arena_free(&arena);
}

static void refuses_overflow(size_t count, size_t size) {
  heed_arena arena = {.name = "activations"};
  size_t mark = heed_arena_mark(&arena);
  heed_arena_reserve(&arena, 10, 4);
  heed_arena_reserve(&arena, count, size);
  heed_arena_reserve(&arena, 10, 4);
  heed_arena_release(&arena, mark); /* does not forget it */
  CU_ASSERT_EQUAL(heed_arena_commit(&arena), HEED_FAILED);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "activations"));
  heed_arena_free(&arena);
}

static void overflow_is_refused(void) {
  refuses_overflow(SIZE_MAX / 2, 4);
  refuses_overflow(SIZE_MAX, 1);
  refuses_overflow(SIZE_MAX - 70, 1);
  refuses_overflow((size_t)-5, 4); /* a negative count */
  refuses_overflow(SIZE_MAX / 4, 2);
}

static void empty_commits(void) {
  heed_arena arena = {0};
  CU_ASSERT_EQUAL(heed_arena_commit(&arena), HEED_OK);
  heed_arena_free(&arena);
}

HEED_TESTS({"reserves aligned", reserves_aligned}, {"lifetimes that do not meet share", lifetimes_that_do_not_meet_share},
           {"overflow is refused", overflow_is_refused}, {"empty commits", empty_commits})
