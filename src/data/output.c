#include "data/output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

char *heed_folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
}

heed_status heed_output_begin(const char *path, char **name, int *file) {
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
  bool theirs = reason == ENOENT || reason == ENOTDIR || reason == ELOOP || reason == ENAMETOOLONG;
  heed_status status = heed_error(theirs ? HEED_INVALID : HEED_IO, "%s: no file can be made in %s: %s", path,
                                  folder ? folder : "its folder", strerror(reason));
  free(folder);
  free(*name);
  *name = NULL;
  return status;
}

heed_status heed_output_end(const char *path, const char *name, int file) {
  if (fsync(file) != 0)
    return heed_error(HEED_IO, "%s: could not be made durable: %s", path, strerror(errno));
  if (rename(name, path) != 0)
    return heed_error(HEED_IO, "%s: %s could not be renamed: %s", path, name, strerror(errno));
  char *folder = heed_folder_of(path);
  int parent = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
  bool synced = parent >= 0 && (fsync(parent) == 0 || errno == EINVAL); /* EINVAL: a file system that has no such thing */
  heed_status status = synced ? HEED_OK : heed_error(HEED_IO, "%s: its folder could not be made durable: %s", path, strerror(errno));
  if (parent >= 0)
    close(parent);
  free(folder);
  return status;
}

static heed_status write_all(const char *path, int file, const char *data, size_t bytes) {
  while (bytes > 0) {
    ssize_t got = write(file, data, bytes);
    if (got < 0 && errno != EINTR)
      return heed_error(HEED_IO, "%s: could not be written: %s", path, strerror(errno));
    if (got > 0) {
      data += got;
      bytes -= (size_t)got;
    }
  }
  return HEED_OK;
}

static heed_status check_kind(const char *path) {
  struct stat about;
  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode))
    return heed_error(HEED_INVALID, "%s: exists and is not a file; choose another output", path);
  return HEED_OK;
}

heed_status heed_output_check(const char *path) {
  char *name;
  int file;
  HEED_TRY(check_kind(path));
  HEED_TRY(heed_output_begin(path, &name, &file));
  unlink(name);
  close(file);
  free(name);
  return HEED_OK;
}

enum { OLD_NAME = PATH_MAX + 8 };

/* The name under which what a temporary file replaces is kept until all is done. */
static const char *old_name(const char *name, char old[OLD_NAME]) {
  snprintf(old, OLD_NAME, "%s.old", name);
  return old;
}

/* Files that belong together: all old ones go aside before the first new one comes, and come back when not all new ones can. */
static heed_status exchange(const heed_output_file *files, char *const names[], const int opened[], int count) {
  heed_status status = HEED_OK;
  char old[OLD_NAME], reason[2048];
  int aside = 0;
  for (; count > 1 && aside < count && status == HEED_OK; aside += status == HEED_OK)
    if (rename(files[aside].path, old_name(names[aside], old)) != 0 && errno != ENOENT)
      status = heed_error(HEED_IO, "%s: could not be renamed: %s", files[aside].path, strerror(errno));
  for (int i = 0; i < count && status == HEED_OK; i++)
    status = heed_output_end(files[i].path, names[i], opened[i]);
  snprintf(reason, sizeof reason, "%s", heed_error_text());
  for (int i = 0; i < aside; i++) {
    if (status == HEED_OK) {
      unlink(old_name(names[i], old));
    } else {
      unlink(files[i].path); /* the new one, if it came */
      rename(old_name(names[i], old), files[i].path);
    }
  }
  return status == HEED_OK ? HEED_OK : heed_error(status, "%s", reason);
}

heed_status heed_output_write_all(const heed_output_file *files, int count) {
  char *names[HEED_OUTPUT_FILES] = {NULL};
  int opened[HEED_OUTPUT_FILES] = {0}, begun = 0;
  heed_status status = HEED_OK;
  for (int i = 0; i < count && status == HEED_OK; i++)
    status = check_kind(files[i].path);
  for (int i = 0; i < count && status == HEED_OK; i++) {
    status = heed_output_begin(files[i].path, &names[i], &opened[i]);
    if (status != HEED_OK)
      break;
    begun++;
    status = write_all(files[i].path, opened[i], files[i].data, files[i].bytes);
    if (status == HEED_OK && fsync(opened[i]) != 0)
      status = heed_error(HEED_IO, "%s: could not be made durable: %s", files[i].path, strerror(errno));
  }
  if (status == HEED_OK)
    status = exchange(files, names, opened, count);
  for (int i = 0; i < begun; i++) {
    if (status != HEED_OK)
      unlink(names[i]); /* one that has its name already is no longer there */
    close(opened[i]);
    free(names[i]);
  }
  return status;
}

heed_status heed_output_write(const char *path, const void *data, size_t bytes) {
  return heed_output_write_all(&(heed_output_file){path, data, bytes}, 1);
}
