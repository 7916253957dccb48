/* Every allocation of a save fails in turn: the save is refused or good, the earlier state stays, the next save works, and the end of the
 * program, where HDF5 looks once more at what it could not write, is none by a signal.
 * wrap: malloc calloc realloc aligned_alloc mmap */
#define FIXTURE_PARENT "/dev/shm" /* hundreds of fsyncs */
#include "allocations.h"
#include "fixture.h"

enum { MOST = 2000 };

/* State 2, in seven files, over state 1 without memory for allocation number `nth`.  Returns whether it was asked for. */
static bool save_without(int nth) {
  fixture f;
  fixture_open(&f);
  f.file_bytes = 10000;
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 1, NAN), HEED_OK);
  allocations = 0;
  failing_allocation = nth;
  const heed_status status = fixture_save(&f, store, 2, NAN);
  const bool asked = allocations >= nth;
  failing_allocation = 0;
  const int64_t newest = fixture_newest(&f, store);
  const bool right = (status == HEED_OK || status == HEED_FAILED || status == HEED_IO) && newest == (status == HEED_OK ? 2 : 1);
  if (!right)
    fprintf(stderr, "allocation %d: status %d (%s), newest %lld\n", nth, status, heed_error_text(), (long long)newest);
  CU_ASSERT_TRUE(right);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 3, NAN), HEED_OK);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 3);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
  return asked;
}

static void every_allocation_may_fail(void) {
  int nth = 1;
  while (save_without(nth) && nth < MOST)
    nth++;
  CU_ASSERT(nth > 40 && nth < MOST);
}

HEED_TESTS({"every allocation may fail", every_allocation_may_fail})
