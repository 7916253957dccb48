/* Every call of a save to the operating system is made to fail in turn: the ways that a file system is known for.  tests/faults/calls.c
 * has all ways. */
#define FIXTURE_PARENT "/dev/shm" /* thousands of fsyncs */
#include "faults/broken_save.h"

static int fail_all(call which, int error, bool for_good, int *refused) {
  *refused = 0;
  for (int nth = 1; nth < 500; nth++) {
    const broken_save save = save_with_fault(which, nth, error, for_good);
    CU_ASSERT_STRING_EQUAL(save.why, "");
    if (*save.why)
      fprintf(stderr, "%s, call %d, %s: %s\n", call_names[which], nth, strerror(error), save.why);
    if (!save.met)
      return nth - 1;
    *refused += save.status != HEED_OK;
  }
  return 500;
}

static void every_call_may_fail(void) {
  static const struct {
    call which;
    int error, least; /* calls of a save that must matter, at least */
  } faults[] = {{MKDIRAT, EACCES, 1},   {OPENAT, EMFILE, 9}, {PWRITE, ENOSPC, 8}, {PWRITE, EIO, 8},    {PREAD, EIO, 14},  {FSYNC, EIO, 10},
                {FALLOCATE, ENOSPC, 7}, {CLOSE, EIO, 8},     {CLOSE, EDQUOT, 8},  {RENAMEAT2, EIO, 1}, {UNLINKAT, EIO, 0}};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    int refused, made = fail_all(faults[i].which, faults[i].error, false, &refused);
    CU_ASSERT_TRUE(made >= refused && refused >= faults[i].least);
    if (refused < faults[i].least)
      fprintf(stderr, "%s: %d of %d failures mattered\n", call_names[faults[i].which], refused, made);
  }
}

static void a_dead_disk_is_survived(void) {
  int refused;
  CU_ASSERT_TRUE(fail_all(PWRITE, EIO, true, &refused) >= 8);
  CU_ASSERT_TRUE(fail_all(FSYNC, EIO, true, &refused) >= 10);
  CU_ASSERT_TRUE(fail_all(UNLINKAT, EIO, true, &refused) >= 1);
}

static void interrupted_and_short_calls_go_on(void) {
  int refused;
  CU_ASSERT_TRUE(fail_all(PWRITE, EINTR, false, &refused) >= 8);
  CU_ASSERT_EQUAL(refused, 0);
  CU_ASSERT_TRUE(fail_all(PWRITE, 0, false, &refused) >= 8);
  CU_ASSERT_EQUAL(refused, 0);
  CU_ASSERT_TRUE(fail_all(PREAD, 0, false, &refused) >= 14);
  CU_ASSERT_EQUAL(refused, 0);
  CU_ASSERT_TRUE(fail_all(FALLOCATE, EINTR, false, &refused) >= 7);
  CU_ASSERT_EQUAL(refused, 0);
}

/* A disk that takes what is written and does not keep it: of state.h5 or of MANIFEST, it is found before the checkpoint has its name. */
static void a_disk_that_lies_is_found_out(void) {
  int refused;
  CU_ASSERT_EQUAL(fail_all(PWRITE, CALL_LIES, false, &refused), refused);
  CU_ASSERT(refused >= 8);
}

/* NFS knows no flags of renameat2, and many file systems no fallocate: a save works all the same, over an earlier one too. */
static void simpler_file_systems_do(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  for (int i = 0; i < 3; i++) {
    arm(i % 2 ? FALLOCATE : RENAMEAT2, 1, i % 2 ? EOPNOTSUPP : EINVAL, true);
    CU_ASSERT_EQUAL(fixture_save(&f, store, 5, 3.0 - i), HEED_OK);
    arm(NO_CALL, 0, 0, false);
    CU_ASSERT_EQUAL(fixture_newest(&f, store), 5);
    CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
  }
  arm(RENAMEAT2, 1, EINVAL, true);
  heed_failpoint_set("save.parent_sync:1:error");
  CU_ASSERT_EQUAL(fixture_save(&f, store, 5, 9.0), HEED_IO);
  arm(NO_CALL, 0, 0, false);
  heed_failpoint_set(NULL);
  CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
  heed_checkpoint_info info;
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_read_info(f.run, &info, NULL), HEED_OK);
  CU_ASSERT_EQUAL(info.validation_loss, 1.0);
  heed_checkpoint_info_free(&info);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

HEED_TESTS({"every call may fail", every_call_may_fail}, {"a dead disk is survived", a_dead_disk_is_survived},
           {"interrupted and short calls go on", interrupted_and_short_calls_go_on},
           {"a disk that lies is found out", a_disk_that_lies_is_found_out}, {"simpler file systems do", simpler_file_systems_do})
