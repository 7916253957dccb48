#include "report/append.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct heed_append {
  int file;
  char *path;
};

heed_status heed_append_open(heed_append **result, const char *path) {
  heed_append *a = calloc(1, sizeof *a);
  *result = NULL;
  if (!a || !(a->path = strdup(path))) {
    free(a);
    return heed_error(HEED_FAILED, "out of memory");
  }
  a->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (a->file < 0) {
    heed_status status = heed_error(HEED_IO, "%s: could not be opened: %s", path, strerror(errno));
    free(a->path);
    free(a);
    return status;
  }
  *result = a;
  return HEED_OK;
}

heed_status heed_append_write(heed_append *a, const void *piece, size_t bytes) {
  off_t before = lseek(a->file, 0, SEEK_END);
  ssize_t written;
  do
    written = write(a->file, piece, bytes);
  while (written < 0 && errno == EINTR);
  if (written == (ssize_t)bytes)
    return HEED_OK;
  int reason = written < 0 ? errno : ENOSPC;
  bool whole = written <= 0 || (before >= 0 && ftruncate(a->file, before) == 0);
  return heed_error(HEED_IO, "%s: a line could not be written%s: %s", a->path, whole ? "" : " whole", strerror(reason));
}

void heed_append_close(heed_append *a) {
  if (!a)
    return;
  close(a->file);
  free(a->path);
  free(a);
}
