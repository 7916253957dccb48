/* Every call of a save to the operating system is made to fail in turn.  The functions below take the place of the C library's, for
 * Heed and for HDF5. */
#define FIXTURE_PARENT "/dev/shm" /* thousands of fsyncs */
#include <errno.h>
#include <sys/syscall.h>

#include "fixture.h"

typedef enum call { NO_CALL, MKDIRAT, OPENAT, PWRITE, PREAD, FSYNC, CLOSE, FALLOCATE, RENAMEAT2, UNLINKAT, CALL_COUNT } call;
static const char *const call_names[] = {"",      "mkdirat", "openat",    "pwrite",    "pread",
                                         "fsync", "close",   "fallocate", "renameat2", "unlinkat"};

/* The armed fault: the left-th call of `failing` from now ends with `failing_error`, or, when that is 0, does half of its bytes. */
static call failing = NO_CALL;
static int left, failing_error;
static bool on_and_on; /* whether all later calls fail too, as on a dead disk */

static bool fails(call now) {
  if (now != failing || (left > 0 && --left > 0) || failing_error == 0)
    return false;
  if (!on_and_on)
    failing = NO_CALL;
  left = 0;
  errno = failing_error;
  return true;
}

/* Half of the bytes at the armed call. */
static size_t shortened(call now, size_t bytes) {
  if (now != failing || failing_error != 0 || bytes < 2 || --left > 0)
    return bytes;
  failing = NO_CALL;
  return bytes / 2;
}

int mkdirat(int folder, const char *path, mode_t mode) {
  return fails(MKDIRAT) ? -1 : (int)syscall(SYS_mkdirat, folder, path, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  __builtin_va_list arguments;
  __builtin_va_start(arguments, flags);
  mode_t mode = flags & O_CREAT ? __builtin_va_arg(arguments, mode_t) : 0;
  __builtin_va_end(arguments);
  return fails(OPENAT) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}
ssize_t pwrite(int file, const void *data, size_t bytes, off_t at) {
  return fails(PWRITE) ? -1 : syscall(SYS_pwrite64, file, data, shortened(PWRITE, bytes), at);
}
ssize_t pread(int file, void *data, size_t bytes, off_t at) {
  return fails(PREAD) ? -1 : syscall(SYS_pread64, file, data, shortened(PREAD, bytes), at);
}
ssize_t pread64(int file, void *data, size_t bytes, off_t at) {
  return fails(PREAD) ? -1 : syscall(SYS_pread64, file, data, shortened(PREAD, bytes), at);
}
int fsync(int file) {
  return fails(FSYNC) ? -1 : (int)syscall(SYS_fsync, file);
}
int close(int file) {
  long result = syscall(SYS_close, file); /* a close that fails has closed all the same */
  return fails(CLOSE) ? -1 : (int)result;
}
int fallocate(int file, int mode, off_t at, off_t bytes) {
  return fails(FALLOCATE) ? -1 : (int)syscall(SYS_fallocate, file, mode, at, bytes);
}
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
  return fails(RENAMEAT2) ? -1 : (int)syscall(SYS_renameat2, from, old, to, new, flags);
}
int unlinkat(int folder, const char *path, int flags) {
  return fails(UNLINKAT) ? -1 : (int)syscall(SYS_unlinkat, folder, path, flags);
}

static void arm(call which, int nth, int error, bool for_good) {
  failing = which;
  left = nth;
  failing_error = error;
  on_and_on = for_good;
}

/* A save of state 3 over 1 and 2 with the armed fault.  Whatever it returns, the run holds a good state that fits the status, and the
 * next save works.  \param[out] status  of the save.  Returns whether the fault was met. */
static bool save_with_fault(call which, int nth, int error, bool for_good, heed_status *status) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  for (int64_t step = 1; step <= 2; step++)
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, step, NAN), HEED_OK);
  arm(which, nth, error, for_good);
  *status = fixture_save(&f, store, 3, NAN);
  bool met = failing == NO_CALL || left == 0;
  arm(NO_CALL, 0, 0, false);
  int64_t newest = fixture_newest(&f, store);
  bool right = newest == (*status == HEED_OK ? 3 : 2) && (*status == HEED_OK || *status == HEED_IO);
  if (!right)
    fprintf(stderr, "%s, call %d, %s: status %d (%s), newest %lld\n", call_names[which], nth, strerror(error), *status, heed_error_text(),
            (long long)newest);
  CU_ASSERT_TRUE(right);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 4, NAN), HEED_OK);
  heed_checkpoint_store_close(store);
  store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 4);
  CU_ASSERT_EQUAL(fixture_count(&f, "."), 0);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
  return met;
}

static int fail_all(call which, int error, bool for_good, int *refused) {
  int nth = 1;
  heed_status status;
  *refused = 0;
  for (; save_with_fault(which, nth, error, for_good, &status) && nth < 500; nth++)
    *refused += status != HEED_OK;
  return nth - 1;
}

static void every_call_may_fail(void) {
  static const struct {
    call which;
    int error, least; /* calls of a save that must matter, at least */
  } faults[] = {{MKDIRAT, EACCES, 1},   {OPENAT, EMFILE, 3}, {PWRITE, ENOSPC, 14}, {PWRITE, EIO, 14},   {PREAD, EIO, 14},  {FSYNC, EIO, 4},
                {FALLOCATE, ENOSPC, 1}, {CLOSE, EIO, 2},     {CLOSE, EDQUOT, 2},   {RENAMEAT2, EIO, 1}, {UNLINKAT, EIO, 0}};
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    int refused, made = fail_all(faults[i].which, faults[i].error, false, &refused);
    CU_ASSERT_TRUE(made >= refused && refused >= faults[i].least);
    if (refused < faults[i].least)
      fprintf(stderr, "%s: %d of %d failures mattered\n", call_names[faults[i].which], refused, made);
  }
}

static void a_dead_disk_is_survived(void) {
  int refused;
  CU_ASSERT_TRUE(fail_all(PWRITE, EIO, true, &refused) >= 14);
  CU_ASSERT_TRUE(fail_all(FSYNC, EIO, true, &refused) >= 4);
  CU_ASSERT_TRUE(fail_all(UNLINKAT, EIO, true, &refused) >= 1);
}

static void interrupted_and_short_calls_go_on(void) {
  int refused;
  CU_ASSERT_TRUE(fail_all(PWRITE, EINTR, false, &refused) >= 14);
  CU_ASSERT_EQUAL(refused, 0);
  CU_ASSERT_TRUE(fail_all(PWRITE, 0, false, &refused) >= 14);
  CU_ASSERT_EQUAL(refused, 0);
  CU_ASSERT_TRUE(fail_all(PREAD, 0, false, &refused) >= 14);
  CU_ASSERT_EQUAL(refused, 0);
  CU_ASSERT_TRUE(fail_all(FALLOCATE, EINTR, false, &refused) >= 1);
  CU_ASSERT_EQUAL(refused, 0);
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
           {"interrupted and short calls go on", interrupted_and_short_calls_go_on}, {"simpler file systems do", simpler_file_systems_do})
