/** A save in which one system call fails, and what must hold after it. */
#ifndef HEED_TESTS_FAULTS_BROKEN_SAVE_H
#define HEED_TESTS_FAULTS_BROKEN_SAVE_H

#include "checkpoint/fixture.h"
#include "faults/calls.h"

typedef struct broken_save {
  heed_status status;
  bool met;      /**< whether there was such a call */
  char why[300]; /**< what was lost, "" for nothing */
} broken_save;

/** A save of state 3, in seven files, over 1 and 2 with the armed fault.  Whatever it returns, the run holds a good state that fits the
 * status, and the next save works. */
static inline broken_save save_with_fault(call which, int nth, int error, bool for_good) {
  broken_save result = {.met = false};
  fixture f;
  const unsigned failures = CU_get_number_of_failures();
  fixture_open(&f);
  f.file_bytes = 10000;
  heed_checkpoint_store *store = fixture_store(&f, 2);
  for (int64_t step = 1; step <= 2; step++)
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, step, NAN), HEED_OK);
  arm(which, nth, error, for_good);
  const heed_status status = fixture_save(&f, store, 3, NAN);
  result.met = disarm();
  result.status = status;
  int64_t newest = fixture_newest(&f, store);
  const bool told = *heed_error_text() && (status == HEED_IO || (status == HEED_FAILED && error == EMFILE));
  if (newest != (status == HEED_OK ? 3 : 2) || (status != HEED_OK && !told))
    snprintf(result.why, sizeof result.why, "status %d (%.150s), newest %lld", status, heed_error_text(), (long long)newest);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 4, NAN), HEED_OK);
  heed_checkpoint_store_close(store);
  store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 4);
  CU_ASSERT_EQUAL(fixture_count(&f, "."), 0);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
  if (!*result.why && CU_get_number_of_failures() != failures)
    snprintf(result.why, sizeof result.why, "the run does not go on as it should");
  return result;
}

#endif
