#include "measure/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { LARGEST = 64 << 20, PIECE = 1 << 20 };

/* The folder of `path`, or of as much of it as there is. */
static void find_folder(char *path) {
  struct stat found;
  while (strcmp(path, ".") != 0 && (stat(path, &found) != 0 || !S_ISDIR(found.st_mode))) {
    char *slash = strrchr(path, '/');
    if (!slash)
      strcpy(path, ".");
    else if (slash > path)
      *slash = 0;
    else
      path[1] = 0;
  }
}

/* A file that has no name or has lost it: nothing is left, however this ends. */
static int open_nameless(const char *folder) {
  int file = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  char name[4096];
  if (file >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
    return file;
  snprintf(name, sizeof name, "%s/.heed-plan-XXXXXX", folder); /* a file system that knows only files with names */
  file = mkstemp(name);
  if (file >= 0)
    unlink(name);
  return file;
}

static heed_status pass(int file, char *piece, size_t bytes) {
  for (size_t at = 0; at < bytes; at += PIECE)
    if (pwrite(file, piece, PIECE, (off_t)at) != PIECE)
      return HEED_IO;
  if (fsync(file) != 0)
    return HEED_IO;
  for (size_t at = 0; at < bytes; at += PIECE)
    if (pread(file, piece, PIECE, (off_t)at) != PIECE)
      return HEED_IO;
  return HEED_OK;
}

static heed_status measure(double *rate, const char *folder, size_t most) {
  size_t bytes = (most < LARGEST ? most : LARGEST) / PIECE * PIECE + PIECE;
  char *piece = malloc(PIECE);
  if (!piece)
    return heed_error(HEED_FAILED, "out of memory to time a write");
  memset(piece, 1, PIECE);
  int file = open_nameless(folder);
  heed_status status = HEED_IO;
  if (file >= 0) {
    double begun = heed_seconds();
    errno = 0;
    status = pass(file, piece, bytes);
    *rate = (double)bytes / (heed_seconds() - begun);
  }
  if (status != HEED_OK)
    status = heed_error(status, "%s: how fast files are written there cannot be measured: %s", folder,
                        errno ? strerror(errno) : "a write was cut short");
  free(piece);
  if (file >= 0)
    close(file);
  return status;
}

heed_status heed_disk_measure(double *bytes_per_second, const char *path, size_t most) {
  char *folder = malloc(strlen(path) + 2);
  if (!folder)
    return heed_error(HEED_FAILED, "out of memory for the name of a folder");
  strcpy(folder, *path ? path : ".");
  find_folder(folder);
  heed_status status = measure(bytes_per_second, folder, most);
  free(folder);
  return status;
}
