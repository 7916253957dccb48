#include "data/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { BUFFER_BYTES = 1 << 20 };

char *heed_folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

heed_status heed_temporary_beside(const char *path, char **name, int *file) {
  uint64_t random = 0;
  *file = -1;
  if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random ||
      asprintf(name, "%s.tmp-%016llx", path, (unsigned long long)random) < 0) {
    *name = NULL;
    return heed_error(HEED_FAILED, "%s: no name for a temporary file beside it", path);
  }
  *file = open(*name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (*file >= 0)
    return HEED_OK;
  int reason = errno;
  char *folder = heed_folder_of(path);
  heed_status status = heed_error(reason == ENOENT || reason == ENOTDIR || reason == EACCES || reason == EROFS ? HEED_INVALID : HEED_IO,
                                  "%s: no file can be made in %s: %s", path, folder ? folder : "its folder", strerror(reason));
  free(folder);
  free(*name);
  *name = NULL;
  return status;
}

heed_status heed_spool_create(heed_spool *spool, const char *beside) {
  char *name;
  *spool = (heed_spool){.file = -1};
  HEED_TRY(heed_temporary_beside(beside, &name, &spool->file));
  unlink(name); /* nameless from now on */
  free(name);
  spool->buffer = malloc(BUFFER_BYTES);
  if (spool->buffer)
    return HEED_OK;
  heed_spool_free(spool);
  return heed_error(HEED_FAILED, "out of memory for a temporary file's buffer");
}

static heed_status flush(heed_spool *spool) {
  size_t written = 0;
  while (written < spool->used) {
    ssize_t got = write(spool->file, spool->buffer + written, spool->used - written);
    if (got < 0 && errno != EINTR)
      return heed_error(HEED_IO, "a temporary file beside the output could not be written: %s", strerror(errno));
    if (got > 0)
      written += (size_t)got;
  }
  spool->used = 0;
  return HEED_OK;
}

heed_status heed_spool_add(heed_spool *spool, const void *data, size_t bytes) {
  const char *from = data;
  while (bytes > 0) {
    size_t part = BUFFER_BYTES - spool->used < bytes ? BUFFER_BYTES - spool->used : bytes;
    memcpy(spool->buffer + spool->used, from, part);
    spool->used += part;
    spool->bytes += (int64_t)part;
    from += part;
    bytes -= part;
    if (spool->used == BUFFER_BYTES)
      HEED_TRY(flush(spool));
  }
  return HEED_OK;
}

heed_status heed_spool_read(heed_spool *spool, void *data, int64_t from, size_t bytes) {
  char *to = data;
  HEED_TRY(flush(spool));
  while (bytes > 0) {
    ssize_t got = pread(spool->file, to, bytes, from);
    if (got == 0 || (got < 0 && errno != EINTR))
      return heed_error(HEED_IO, "a temporary file beside the output could not be read back: %s", got ? strerror(errno) : "it ends early");
    if (got > 0) {
      to += got;
      from += got;
      bytes -= (size_t)got;
    }
  }
  return HEED_OK;
}

void heed_spool_free(heed_spool *spool) {
  if (spool->file >= 0)
    close(spool->file);
  free(spool->buffer);
  *spool = (heed_spool){.file = -1};
}
