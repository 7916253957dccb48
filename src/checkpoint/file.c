#include "checkpoint/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/pulse.h"

enum { HASH_BLOCK = 1 << 20, MAX_DEPTH = 8 };

static const char *kind_of(mode_t mode) {
  return S_ISREG(mode)    ? "a file"
         : S_ISDIR(mode)  ? "a folder"
         : S_ISLNK(mode)  ? "a symbolic link"
         : S_ISFIFO(mode) ? "a FIFO"
         : S_ISSOCK(mode) ? "a socket"
                          : "a device";
}

/* Makes the last component of `path` and syncs the folder that now names it. */
static heed_status make_one(const char *path) {
  if (mkdir(path, 0777) != 0) {
    if (errno == EEXIST)
      return HEED_OK; /* what it is, the one who opens it finds out */
    heed_status status = errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG ? HEED_INVALID : HEED_IO;
    return heed_error(status, "%s: the folder cannot be made: %s", path, strerror(errno));
  }
  char *parent = strdup(path), *slash = parent ? strrchr(parent, '/') : NULL;
  if (!parent)
    return heed_error(HEED_FAILED, "out of memory for a path");
  if (slash)
    slash[slash == parent] = 0;
  int folder = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  heed_status status = HEED_OK;
  if (folder >= 0) { /* a parent that may be searched but not read cannot be synced: go on */
    status = heed_file_sync(folder, slash ? parent : ".");
    close(folder);
  }
  free(parent);
  return status;
}

heed_status heed_folder_make(const char *path) {
  char *copy = strdup(path);
  if (!copy)
    return heed_error(HEED_FAILED, "out of memory for a path");
  heed_status status = HEED_OK;
  for (char *slash = copy; status == HEED_OK && (slash = strchr(slash + 1, '/'));) {
    *slash = 0;
    struct stat have;
    if (stat(copy, &have) != 0)
      status = make_one(copy);
    *slash = '/';
  }
  if (status == HEED_OK)
    status = make_one(copy);
  free(copy);
  return status;
}

heed_status heed_folder_open(int parent, const char *name, const char *shown, bool follow, int *folder) {
  *folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
  if (*folder >= 0)
    return HEED_OK;
  int error = errno;
  struct stat is;
  if ((error == ENOTDIR || error == ELOOP) && fstatat(parent, name, &is, AT_SYMLINK_NOFOLLOW) == 0)
    return heed_error(HEED_INVALID, "%s: is %s where a folder is expected%s", shown, kind_of(is.st_mode),
                      S_ISLNK(is.st_mode) && !follow ? "; name the folder it leads to" : "");
  if (error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG)
    return heed_error(HEED_INVALID, "%s: there is no such folder", shown);
  if (error == EMFILE || error == ENFILE) /* which says nothing of the folder */
    return heed_error(HEED_FAILED, "%s: the folder cannot be opened: %s; raise `ulimit -n`", shown, strerror(error));
  return heed_error(HEED_IO, "%s: the folder cannot be opened: %s", shown, strerror(error));
}

heed_status heed_target_open(heed_target *target, const char *path) {
  size_t length;
  const char *last = heed_path_name(path, &length);
  size_t start = (size_t)(last - path);
  *target = (heed_target){.folder = -1, .name = strndup(last, length), .parent = strndup(start ? path : ".", start ? start : 1)};
  heed_status status = target->name && target->parent ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a path");
  if (status == HEED_OK && (!*target->name || strcmp(target->name, ".") == 0 || strcmp(target->name, "..") == 0))
    status = heed_error(HEED_INVALID, "'%s' cannot be the name of something new", path);
  if (status == HEED_OK && strlen(target->name) > 200) /* a temporary name beside it is longer */
    status = heed_error(HEED_INVALID, "%s: its last part is longer than 200 bytes", path);
  for (size_t end = status == HEED_OK ? start : 0; end > 1 && target->parent[end - 1] == '/'; end--)
    target->parent[end - 1] = 0;
  if (status == HEED_OK)
    status = heed_folder_make(target->parent);
  if (status == HEED_OK)
    status = heed_folder_open(AT_FDCWD, target->parent, target->parent, true, &target->folder);
  if (status != HEED_OK)
    heed_target_close(target);
  return status;
}

void heed_target_close(heed_target *target) {
  if (target->folder >= 0)
    close(target->folder);
  free(target->parent);
  free(target->name);
  *target = (heed_target){.folder = -1};
}

heed_status heed_file_open(int folder, const char *name, bool follow, int *file, int64_t *bytes) {
  struct stat is;
  *file = openat(folder, name, O_RDONLY | (follow ? 0 : O_NOFOLLOW) | O_NONBLOCK | O_CLOEXEC); /* a FIFO must not hold us */
  if (*file < 0) {
    int error = errno;
    if (error == ENOENT)
      return heed_error(HEED_INVALID, "%s is missing", name);
    if (error == EMFILE || error == ENFILE) /* which says nothing of the file */
      return heed_error(HEED_FAILED, "%s cannot be opened: %s; raise `ulimit -n`", name, strerror(error));
    if (fstatat(folder, name, &is, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(is.st_mode))
      return heed_error(HEED_INVALID, "%s is %s where a file is expected", name, kind_of(is.st_mode));
    return heed_error(HEED_IO, "%s cannot be opened: %s", name, strerror(error));
  }
  heed_status status = HEED_OK;
  if (fstat(*file, &is) != 0)
    status = heed_error(HEED_IO, "%s cannot be read: %s", name, strerror(errno));
  else if (!S_ISREG(is.st_mode))
    status = heed_error(HEED_INVALID, "%s is %s where a file is expected", name, kind_of(is.st_mode));
  if (status != HEED_OK) {
    close(*file);
    *file = -1;
    return status;
  }
  *bytes = is.st_size;
  return HEED_OK;
}

heed_status heed_file_write(int file, const char *name, const void *data, size_t bytes, int64_t offset) {
  for (const char *from = data; bytes > 0;) {
    ssize_t put = pwrite(file, from, bytes, offset);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return heed_error(HEED_IO, "%s could not be written: %s", name, strerror(put < 0 ? errno : ENOSPC));
    from += put;
    offset += put;
    bytes -= (size_t)put;
  }
  return HEED_OK;
}

heed_status heed_file_create(int folder, const char *name, int *file) {
  *file = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  return *file >= 0 ? HEED_OK : heed_error(HEED_IO, "%s could not be made: %s", name, strerror(errno));
}

heed_status heed_file_finish(int *file, const char *name, heed_status status) {
  if (status == HEED_OK)
    status = heed_file_sync(*file, name);
  if (status == HEED_OK)
    return heed_file_close(file, name);
  if (*file >= 0)
    close(*file);
  *file = -1;
  return status;
}

bool heed_file_is_unsupported(int error) {
  return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP;
}

heed_status heed_file_sync(int file, const char *name) {
  return fsync(file) == 0 ? HEED_OK : heed_error(HEED_IO, "%s could not be made durable (fsync): %s", name, strerror(errno));
}

heed_status heed_file_close(int *file, const char *name) {
  int descriptor = *file;
  *file = -1;
  if (descriptor >= 0 && close(descriptor) != 0 && errno != EINTR) /* on Linux EINTR too has closed it */
    return heed_error(HEED_IO, "%s could not be written: %s", name, strerror(errno));
  return HEED_OK;
}

heed_status heed_file_hash(int file, const char *name, int64_t offset, int64_t bytes, uint64_t *hash) {
  heed_hasher *hasher;
  HEED_TRY(heed_hasher_begin(&hasher));
  char *block = malloc(HASH_BLOCK);
  heed_status status = block ? HEED_OK : heed_error(HEED_FAILED, "out of memory for reading %s", name);
  while (status == HEED_OK && bytes > 0) {
    size_t part = bytes < HASH_BLOCK ? (size_t)bytes : HASH_BLOCK;
    status = heed_file_read(file, name, block, part, offset);
    if (status == HEED_OK)
      heed_hasher_add(hasher, block, part);
    offset += (int64_t)part;
    bytes -= (int64_t)part;
    heed_pulse_beat();
  }
  *hash = heed_hasher_end(hasher);
  free(block);
  return status;
}

static bool remove_below(int parent, const char *name, int depth) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
    return true;
  if (depth == 0 || (errno != EISDIR && errno != EPERM))
    return false;
  int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *entries = folder >= 0 ? fdopendir(folder) : NULL;
  if (!entries) {
    if (folder >= 0)
      close(folder);
    return false;
  }
  bool all = true;
  for (struct dirent *entry; (entry = readdir(entries));)
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
      all = remove_below(folder, entry->d_name, depth - 1) && all;
  closedir(entries);
  return all && (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT);
}

bool heed_tree_remove(int parent, const char *name) {
  return remove_below(parent, name, MAX_DEPTH);
}

void heed_random_digits(char digits[17]) {
  uint64_t number;
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number) { /* early at boot: unlike is enough */
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t parts[3] = {(uint64_t)now.tv_sec, (uint64_t)now.tv_nsec, (uint64_t)getpid()};
    number = heed_hash(parts, sizeof parts);
  }
  snprintf(digits, 17, "%016llx", (unsigned long long)number);
}
