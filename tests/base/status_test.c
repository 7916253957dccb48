#include "heed/status.h"

#include <pthread.h>
#include <string.h>

#include "test.h"

static void keeps_text_and_status(void) {
  CU_ASSERT_EQUAL(heed_error(HEED_IO, "%s:%d", "file", 7), HEED_IO);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "file:7");
  CU_ASSERT_EQUAL(heed_error_in(HEED_INVALID, "step %d", 3), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_error_in(HEED_FAILED, "rank %d", 1), HEED_FAILED);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "rank 1: step 3: file:7");
}

static void takes_its_own_text_as_argument(void) {
  heed_error(HEED_FAILED, "inner");
  heed_error(HEED_FAILED, "%s, %s", heed_error_text(), heed_error_text());
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "inner, inner");
  heed_error_in(HEED_FAILED, "(%s)", heed_error_text());
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "(inner, inner): inner, inner");
}

static void cuts_what_is_too_long(void) {
  char text[5000];
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = 0;
  heed_error(HEED_FAILED, "%s", text);
  CU_ASSERT_EQUAL(strlen(heed_error_text()), 2047);
  for (int i = 0; i < 100; i++)
    heed_error_in(HEED_FAILED, "%s", text);
  CU_ASSERT(strlen(heed_error_text()) <= 2047);
}

static void *fail_elsewhere(void *unused) {
  heed_error(HEED_FAILED, "other");
  return unused;
}

static void is_per_thread(void) {
  pthread_t thread;
  heed_error(HEED_FAILED, "mine");
  CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
  pthread_join(thread, NULL);
  CU_ASSERT_STRING_EQUAL(heed_error_text(), "mine");
}

static heed_status tries(heed_status first, int *reached) {
  HEED_TRY(first);
  *reached = 1;
  return HEED_OK;
}

static void try_returns_failures(void) {
  int reached = 0;
  CU_ASSERT_EQUAL(tries(HEED_STOPPED, &reached), HEED_STOPPED);
  CU_ASSERT_FALSE(reached);
  CU_ASSERT_EQUAL(tries(HEED_OK, &reached), HEED_OK);
  CU_ASSERT_TRUE(reached);
}

HEED_TESTS({"keeps text and status", keeps_text_and_status}, {"takes its own text as argument", takes_its_own_text_as_argument},
           {"cuts what is too long", cuts_what_is_too_long}, {"is per thread", is_per_thread},
           {"try returns failures", try_returns_failures})
