#include "checkpoint/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pulse.h"
#include "checkpoint/file.h"

static bool set_direct(int file, bool on) {
  const int flags = fcntl(file, F_GETFL);
  return flags >= 0 && fcntl(file, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

typedef ssize_t transfer(int file, void *data, size_t bytes, off_t offset);

static ssize_t put(int file, void *data, size_t bytes, off_t offset) {
  return pwrite(file, data, bytes, offset);
}

/* Whole pages, until all are moved or the file system will not; what is left is for the cache.
 * \param[out] error  of a call that failed for another reason, or 0.  Returns the bytes that were moved. */
static size_t move_pages(int file, transfer *move, char *data, size_t bytes, int64_t offset, int *error) {
  const size_t whole = bytes / HEED_DIRECT_PAGE * HEED_DIRECT_PAGE;
  size_t done = 0;
  *error = 0;
  if (whole == 0 || !set_direct(file, true))
    return 0;
  while (done < whole && done % HEED_DIRECT_PAGE == 0) {
    const ssize_t moved = move(file, data + done, whole - done, offset + (int64_t)done);
    if (moved < 0 && errno == EINTR)
      continue;
    if (moved < 0 && !heed_file_is_unsupported(errno))
      *error = errno;
    if (moved <= 0)
      break;
    done += (size_t)moved;
  }
  set_direct(file, false);
  return done;
}

heed_status heed_direct_write(int file, const char *name, const void *data, size_t bytes, int64_t offset) {
  int error;
  const size_t done = move_pages(file, put, (char *)data, bytes, offset, &error);
  if (error)
    return heed_error(HEED_IO, "%s could not be written: %s", name, strerror(error));
  return heed_file_write(file, name, (const char *)data + done, bytes - done, offset + (int64_t)done);
}

static heed_status read_block(int file, const char *name, char *data, size_t bytes, int64_t offset) {
  int error;
  const size_t done = move_pages(file, pread, data, bytes, offset, &error);
  if (error)
    return heed_error(HEED_IO, "%s: could not be read: %s", name, strerror(error));
  return heed_file_read(file, name, data + done, bytes - done, offset + (int64_t)done);
}

heed_status heed_direct_read(int file, const char *name, int64_t bytes, heed_direct_taker *take, void *taker) {
  char *block = aligned_alloc(HEED_DIRECT_PAGE, HEED_DIRECT_BLOCK);
  heed_status status = block ? HEED_OK : heed_error(HEED_FAILED, "out of memory for reading %s", name);
  posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  for (int64_t at = 0; status == HEED_OK && at < bytes; at += HEED_DIRECT_BLOCK) {
    const size_t part = bytes - at < HEED_DIRECT_BLOCK ? (size_t)(bytes - at) : HEED_DIRECT_BLOCK;
    status = read_block(file, name, block, part, at);
    if (status == HEED_OK)
      status = take(taker, block, part, at);
    heed_pulse_beat();
  }
  free(block);
  return status;
}
