#include "measure/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "checkpoint/direct.h"
#include "checkpoint/file.h"

enum { LARGEST = 64 << 20 };

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

static heed_status take_hash(void *hash, const char *block, size_t bytes, int64_t offset) {
  (void)offset;
  *(uint64_t *)hash ^= heed_hash(block, bytes);
  return HEED_OK;
}

/* As src/checkpoint/commit.c passes over a file of a state. */
static heed_status pass(int file, const char *folder, const char *block, int64_t bytes) {
  uint64_t hash = 0;
  for (int64_t at = 0; at < bytes; at += HEED_DIRECT_BLOCK)
    HEED_TRY(heed_direct_write(file, folder, block, HEED_DIRECT_BLOCK, at));
  HEED_TRY(heed_file_sync(file, folder));
  return heed_direct_read(file, folder, bytes, take_hash, &hash);
}

static heed_status measure(double *rate, const char *folder, size_t most) {
  const size_t blocks = (most < LARGEST ? most : LARGEST) / HEED_DIRECT_BLOCK + 1;
  const int64_t bytes = (int64_t)blocks * HEED_DIRECT_BLOCK;
  char *block = aligned_alloc(HEED_DIRECT_PAGE, HEED_DIRECT_BLOCK);
  if (!block)
    return heed_error(HEED_FAILED, "out of memory to time a write");
  memset(block, 1, HEED_DIRECT_BLOCK);
  const int file = open_nameless(folder);
  heed_status status = file >= 0 ? HEED_OK : heed_error(HEED_IO, "%s: no file can be made there: %s", folder, strerror(errno));
  if (status == HEED_OK) {
    const double begun = heed_seconds();
    status = pass(file, folder, block, bytes);
    *rate = (double)bytes / (heed_seconds() - begun);
    close(file);
  }
  free(block);
  return status == HEED_OK ? HEED_OK : heed_error_in(status, "how fast files are written cannot be measured");
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
