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

/* The reason stands behind the name, and must not be pushed out by it; no character is cut in two. */
static void keeps_the_reason_behind_a_long_name(void) {
  char name[5001];
  for (size_t i = 0; i < sizeof name - 1; i += 2)
    memcpy(name + i, "\u00E9", 2);
  name[sizeof name - 1] = 0;
  heed_error(HEED_INVALID, "x%s: no such file", name);
  const char *text = heed_error_text();
  CU_ASSERT(strlen(text) <= 2047 && strlen(text) > 2000);
  CU_ASSERT_EQUAL(strncmp(text, "x\u00E9", 3), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "\u00E9 \u2026 \u00E9"));
  CU_ASSERT_STRING_EQUAL(text + strlen(text) - strlen("\u00E9: no such file"), "\u00E9: no such file");
  heed_error_in(HEED_INVALID, "y%s", name);
  CU_ASSERT_EQUAL(heed_error_text()[0], 'y');
  CU_ASSERT_STRING_EQUAL(heed_error_text() + strlen(heed_error_text()) - strlen(": no such file"), ": no such file");
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
           {"cuts what is too long", cuts_what_is_too_long}, {"keeps the reason behind a long name", keeps_the_reason_behind_a_long_name},
           {"is per thread", is_per_thread}, {"try returns failures", try_returns_failures})
