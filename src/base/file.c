#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static heed_status write_all(int file, const char *data, size_t bytes) {
  while (bytes > 0) {
    ssize_t written = write(file, data, bytes);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0)
      return HEED_IO;
    data += written;
    bytes -= (size_t)written;
  }
  return fsync(file) == 0 ? HEED_OK : HEED_IO;
}

heed_status heed_file_replace(const char *path, const void *data, size_t bytes) {
  char temporary[4096];
  if (snprintf(temporary, sizeof temporary, "%s.tmp-%ld", path, (long)getpid()) >= (int)sizeof temporary)
    return heed_error(HEED_IO, "the path is too long: %s", path);
  int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (file < 0)
    return heed_error(HEED_IO, "%s: could not be made: %s", temporary, strerror(errno));
  heed_status status = write_all(file, data, bytes);
  if (status != HEED_OK)
    heed_error(status, "%s: could not be written: %s", temporary, strerror(errno));
  if (close(file) != 0 && status == HEED_OK)
    status = heed_error(HEED_IO, "%s: could not be written: %s", temporary, strerror(errno));
  if (status == HEED_OK && rename(temporary, path) != 0)
    status = heed_error(HEED_IO, "%s: could not be replaced: %s", path, strerror(errno));
  if (status != HEED_OK)
    unlink(temporary);
  return status;
}
