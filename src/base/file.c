#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *heed_path_name(const char *path, size_t *length) {
  size_t end = strlen(path);
  while (end > 1 && path[end - 1] == '/')
    end--;
  size_t start = end;
  while (start > 0 && path[start - 1] != '/')
    start--;
  *length = end - start;
  return path + start;
}

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

/* Reads to the end of the file, or one byte more than `most`, so that a file that is too large is seen to be so. */
static heed_status read_bounded(int file, const char *path, size_t most, char *text, size_t *bytes) {
  while (*bytes <= most) {
    ssize_t got = read(file, text + *bytes, most + 1 - *bytes);
    if (got == 0)
      return HEED_OK;
    if (got < 0 && errno != EINTR)
      return heed_error(HEED_IO, "%s: could not be read: %s", path, strerror(errno));
    if (got > 0)
      *bytes += (size_t)got;
  }
  return HEED_OK;
}

heed_status heed_file_take(const char *path, const char *what, size_t most, char **text, size_t *bytes) {
  struct stat about;
  *text = NULL;
  *bytes = 0;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    return heed_error(HEED_INVALID, "%s: cannot be opened: %s; %s is expected", path, strerror(errno), what);
  heed_status status = HEED_OK;
  if (fstat(file, &about) != 0 || !S_ISREG(about.st_mode))
    status = heed_error(HEED_INVALID, "%s is %s, %s is expected", path, S_ISDIR(about.st_mode) ? "a folder" : "no ordinary file", what);
  else if (!(*text = malloc(most + 2)))
    status = heed_error(HEED_FAILED, "%s: out of memory for %s", path, what);
  else
    status = read_bounded(file, path, most, *text, bytes);
  close(file);
  if (status == HEED_OK && *bytes > most)
    status = heed_error(HEED_INVALID, "%s is larger than %.3g MiB, too large for %s", path, (double)most / 1048576.0, what);
  if (status != HEED_OK) {
    free(*text);
    *text = NULL;
    return status;
  }
  (*text)[*bytes] = 0;
  return HEED_OK;
}

heed_status heed_file_read(int file, const char *name, void *data, size_t bytes, int64_t offset) {
  for (char *to = data; bytes > 0;) {
    ssize_t got = pread(file, to, bytes, offset);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return heed_error(HEED_IO, "%s could not be read: %s", name, strerror(errno));
    if (got == 0)
      return heed_error(HEED_INVALID, "%s ends %zu bytes early", name, bytes);
    to += got;
    offset += got;
    bytes -= (size_t)got;
  }
  return HEED_OK;
}
