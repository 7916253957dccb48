/** System calls of this process that fail, do half, lie or are watched.  The functions below take the place of the C library's, for Heed
 *  and for HDF5.  Include it in one file of a program. */
#ifndef HEED_TESTS_FAULTS_CALLS_H
#define HEED_TESTS_FAULTS_CALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef enum call {
  NO_CALL,
  MKDIRAT,
  OPENAT,
  PWRITE,
  PREAD,
  FSYNC,
  CLOSE,
  FTRUNCATE,
  FALLOCATE,
  RENAMEAT,
  RENAMEAT2,
  UNLINKAT,
  CALL_COUNT
} call;
__attribute__((unused)) static const char *const call_names[] = {"",      "mkdirat",   "openat",    "pwrite",   "pread",     "fsync",
                                                                 "close", "ftruncate", "fallocate", "renameat", "renameat2", "unlinkat"};

/** Beside the numbers of errno: the call does half of its bytes; it claims to have done all and does nothing. */
enum { CALL_SHORT = 0, CALL_LIES = -1 };

/* The armed fault: what the left-th call of `failing` from now ends with. */
static call failing = NO_CALL;
static int left, failing_error;
static bool on_and_on; /* whether all later calls fail too, as on a dead disk */

__attribute__((unused)) static void arm(call which, int nth, int error, bool for_good) {
  failing = which;
  left = nth;
  failing_error = error;
  on_and_on = for_good;
}

/** Whether the armed fault was met; disarms. */
__attribute__((unused)) static bool disarm(void) {
  const bool met = failing == NO_CALL || left == 0;
  arm(NO_CALL, 0, 0, false);
  return met;
}

/** What sees each call that changed something, when it has succeeded: its folder or file, its names (the second of a rename), its place
 *  in the file, and how much. */
typedef struct seen_call {
  call which;
  int folder, to; /**< a file: in `folder` */
  const char *name, *new_name;
  const void *data;
  off_t at, bytes;
  unsigned flags;
} seen_call;
static void (*watch)(const seen_call *seen); /* NULL: nobody watches */

static bool is_now(call now) {
  if (now != failing || (left > 0 && --left > 0))
    return false;
  if (!on_and_on)
    failing = NO_CALL;
  left = 0;
  return true;
}

static bool fails(call now) {
  if (failing_error <= 0 || !is_now(now))
    return false;
  errno = failing_error;
  return true;
}

/* How many bytes of a call are done; it lies when they are none. */
static size_t shortened(call now, size_t bytes, bool *lies) {
  *lies = false;
  if (failing_error > 0 || bytes < 2 || !is_now(now))
    return bytes;
  *lies = failing_error == CALL_LIES;
  return bytes / 2;
}

static int told(long result, const seen_call seen) {
  if (result >= 0 && watch)
    watch(&seen);
  return (int)result;
}

int mkdirat(int folder, const char *path, mode_t mode) {
  if (fails(MKDIRAT))
    return -1;
  return told(syscall(SYS_mkdirat, folder, path, mode), (seen_call){.which = MKDIRAT, .folder = folder, .name = path});
}

int openat(int folder, const char *path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (fails(OPENAT))
    return -1;
  const long file = syscall(SYS_openat, folder, path, flags, mode);
  if (flags & O_CREAT)
    told(file, (seen_call){.which = OPENAT, .folder = folder, .to = (int)file, .name = path});
  return (int)file;
}

ssize_t pwrite(int file, const void *data, size_t bytes, off_t at) {
  bool lies;
  if (fails(PWRITE))
    return -1;
  const size_t part = shortened(PWRITE, bytes, &lies);
  const ssize_t put = lies ? (ssize_t)bytes : syscall(SYS_pwrite64, file, data, part, at);
  told(put, (seen_call){.which = PWRITE, .folder = file, .data = data, .at = at, .bytes = put});
  return put;
}

static ssize_t read_part(int file, void *data, size_t bytes, off_t at) {
  bool lies;
  if (fails(PREAD))
    return -1;
  const size_t part = shortened(PREAD, bytes, &lies);
  return lies ? (ssize_t)bytes : syscall(SYS_pread64, file, data, part, at);
}
ssize_t pread(int file, void *data, size_t bytes, off_t at) {
  return read_part(file, data, bytes, at);
}
ssize_t pread64(int file, void *data, size_t bytes, off_t at) {
  return read_part(file, data, bytes, at);
}

int fsync(int file) {
  return fails(FSYNC) ? -1 : told(syscall(SYS_fsync, file), (seen_call){.which = FSYNC, .folder = file});
}

int close(int file) {
  const long result = syscall(SYS_close, file); /* a close that fails has closed all the same */
  return fails(CLOSE) ? -1 : (int)result;
}

int ftruncate(int file, off_t bytes) {
  return fails(FTRUNCATE) ? -1 : told(syscall(SYS_ftruncate, file, bytes), (seen_call){.which = FTRUNCATE, .folder = file, .bytes = bytes});
}

int fallocate(int file, int mode, off_t at, off_t bytes) {
  return fails(FALLOCATE)
             ? -1
             : told(syscall(SYS_fallocate, file, mode, at, bytes), (seen_call){.which = FALLOCATE, .folder = file, .bytes = at + bytes});
}

int renameat(int from, const char *old, int to, const char *new) {
  return fails(RENAMEAT) ? -1
                         : told(syscall(SYS_renameat2, from, old, to, new, 0),
                                (seen_call){.which = RENAMEAT, .folder = from, .to = to, .name = old, .new_name = new});
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
  return fails(RENAMEAT2) ? -1
                          : told(syscall(SYS_renameat2, from, old, to, new, flags),
                                 (seen_call){.which = RENAMEAT2, .folder = from, .to = to, .name = old, .new_name = new, .flags = flags});
}

int unlinkat(int folder, const char *path, int flags) {
  const seen_call seen = {.which = UNLINKAT, .folder = folder, .name = path, .flags = (unsigned)flags};
  return fails(UNLINKAT) ? -1 : told(syscall(SYS_unlinkat, folder, path, flags), seen);
}

#endif
