#include "checkpoint/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "checkpoint/file.h"
#include "checkpoint/state.h"
#include "heed/log.h"

static heed_status read_manifest(int folder, heed_manifest *manifest) {
  int file;
  int64_t bytes;
  HEED_TRY(heed_file_open(folder, HEED_MANIFEST_FILE, false, &file, &bytes));
  if (bytes > HEED_MAX_MANIFEST) {
    close(file);
    return heed_error(HEED_INVALID, HEED_MANIFEST_FILE " is larger than any manifest");
  }
  char *text = calloc(1, (size_t)bytes + 1);
  heed_status status = text ? heed_file_read(file, HEED_MANIFEST_FILE, text, (size_t)bytes, 0)
                            : heed_error(HEED_FAILED, "out of memory for " HEED_MANIFEST_FILE);
  if (status == HEED_OK)
    status = heed_manifest_parse(manifest, text, (size_t)bytes);
  free(text);
  close(file);
  return status;
}

/* All files, before any of them is read. */
static heed_status open_files(heed_folder *folder, int directory) {
  for (int i = 0; i < folder->manifest.file_count; i++) {
    char name[HEED_STATE_NAME];
    int64_t bytes, expected = folder->manifest.files[i].bytes;
    heed_state_name(name, i);
    HEED_TRY(heed_file_open(directory, name, false, &folder->files[i], &bytes));
    folder->open++;
    if (bytes != expected)
      return heed_error(HEED_INVALID, "%s has %lld bytes, MANIFEST names %lld", name, (long long)bytes, (long long)expected);
  }
  return HEED_OK;
}

static heed_status check_files(heed_folder *folder) {
  for (int i = 0; i < folder->open; i++) {
    const heed_manifest_file *file = &folder->manifest.files[i];
    char name[HEED_STATE_NAME];
    uint64_t hash;
    heed_state_name(name, i);
    HEED_TRY(heed_file_hash(folder->files[i], name, 0, file->bytes, &hash));
    if (hash != file->checksum)
      return heed_error(HEED_INVALID, "%s is damaged: it does not match its checksum", name);
    HEED_TRY(heed_state_check(folder->files[i], &folder->manifest, i));
  }
  return HEED_OK;
}

heed_status heed_checkpoint_folder_open(heed_folder *folder, int parent, const char *name, const char *path, bool follow,
                                        heed_trust trust) {
  int directory;
  *folder = (heed_folder){0};
  HEED_TRY(heed_folder_open(parent, name, path, follow, &directory));
  heed_status status = (folder->path = strdup(path)) ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a path");
  if (status == HEED_OK)
    status = read_manifest(directory, &folder->manifest);
  if (status == HEED_OK)
    status = open_files(folder, directory);
  if (status == HEED_OK && trust == HEED_TRUST_NOTHING)
    status = check_files(folder);
  close(directory);
  if (status == HEED_OK)
    return HEED_OK;
  heed_checkpoint_folder_close(folder);
  return heed_error_in(status, "%s", path);
}

void heed_checkpoint_folder_close(heed_folder *folder) {
  for (int i = 0; i < folder->open; i++)
    close(folder->files[i]);
  heed_manifest_free(&folder->manifest);
  free(folder->path);
  *folder = (heed_folder){0};
}

heed_status heed_checkpoint_folder_read(const heed_folder *folder, const heed_item *item, void *data, size_t bytes, int64_t at) {
  char name[HEED_STATE_NAME];
  heed_state_name(name, item->file);
  return heed_file_read(folder->files[item->file], name, data, bytes, item->offset + at);
}

heed_status heed_checkpoint_folder_check_items(const heed_folder *folder) {
  uint64_t hash;
  for (int64_t i = 0; i < folder->manifest.count; i++) {
    const heed_item *item = &folder->manifest.items[i];
    HEED_TRY(heed_file_hash(folder->files[item->file], item->path, item->offset, item->bytes, &hash));
    if (hash != item->checksum)
      return heed_error_in(heed_state_damaged(item), "%s", folder->path);
  }
  return HEED_OK;
}

heed_status heed_checkpoint_folder_text(const heed_folder *folder, const char *path, int64_t most, char **text) {
  int64_t hint = 0;
  const heed_item *item = heed_manifest_find(&folder->manifest, path, &hint);
  if (!item || item->type != HEED_ITEM_TEXT || item->bytes > most)
    return heed_error(HEED_INVALID, "%s: %s is missing, not text, or longer than %lld bytes", folder->path, path, (long long)most);
  *text = calloc(1, (size_t)item->bytes + 1);
  if (!*text)
    return heed_error(HEED_FAILED, "out of memory for %s", path);
  heed_status status = heed_checkpoint_folder_read(folder, item, *text, (size_t)item->bytes, 0);
  if (status == HEED_OK && heed_hash(*text, (size_t)item->bytes) != item->checksum)
    status = heed_state_damaged(item);
  if (status == HEED_OK)
    return HEED_OK;
  free(*text);
  *text = NULL;
  return heed_error_in(status, "%s", folder->path);
}

void heed_checkpoint_name(char name[32], int64_t step) {
  snprintf(name, 32, "step-%08lld", (long long)step);
}

char *heed_checkpoint_path(const char *checkpoints, int64_t step) {
  char name[32], *path;
  heed_checkpoint_name(name, step);
  return asprintf(&path, "%s/%s", checkpoints, name) < 0 ? NULL : path;
}

int64_t heed_checkpoint_step(const char *name) {
  char expected[32];
  size_t digits = strncmp(name, "step-", 5) == 0 ? strlen(name + 5) : 0;
  if (digits < 8 || digits > 18 || strspn(name + 5, "0123456789") != digits)
    return -1;
  int64_t step = strtoll(name + 5, NULL, 10);
  heed_checkpoint_name(expected, step);
  return strcmp(name, expected) == 0 ? step : -1;
}

static int newest_first(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x > y ? -1 : x < y;
}

heed_status heed_checkpoint_steps(int checkpoints, const char *path, int64_t **steps, int64_t *count) {
  int64_t capacity = 0;
  *steps = NULL;
  *count = 0;
  int own = openat(checkpoints, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = own >= 0 ? fdopendir(own) : NULL;
  heed_status status = entries ? HEED_OK : heed_error(HEED_IO, "%s: the folder cannot be read: %s", path, strerror(errno));
  errno = 0;
  for (struct dirent *entry; status == HEED_OK && (entry = readdir(entries)); errno = 0) {
    int64_t step = heed_checkpoint_step(entry->d_name);
    if (step < 0)
      continue;
    if (*count == capacity) {
      capacity = capacity ? 2 * capacity : 16;
      int64_t *more = realloc(*steps, (size_t)capacity * sizeof *more);
      if (!more) {
        status = heed_error(HEED_FAILED, "out of memory for the list of checkpoints");
        break;
      }
      *steps = more;
    }
    (*steps)[(*count)++] = step;
  }
  if (status == HEED_OK && errno)
    status = heed_error(HEED_IO, "%s: the folder cannot be read: %s", path, strerror(errno));
  if (entries)
    closedir(entries);
  else if (own >= 0)
    close(own);
  if (status == HEED_OK && *count > 0)
    qsort(*steps, (size_t)*count, sizeof **steps, newest_first);
  if (status != HEED_OK) {
    free(*steps);
    *steps = NULL;
    *count = 0;
  }
  return status;
}

heed_status heed_checkpoint_folder_open_newest(heed_folder *folder, int checkpoints, const char *path, bool *found, heed_steps *damaged) {
  int64_t *steps, count, bad = 0, unread = 0;
  *found = false;
  HEED_TRY(heed_checkpoint_steps(checkpoints, path, &steps, &count));
  heed_status status = HEED_OK;
  for (int64_t i = 0; i < count && !*found && status != HEED_FAILED; i++) {
    char name[32], *shown = heed_checkpoint_path(path, steps[i]);
    heed_checkpoint_name(name, steps[i]);
    status = shown ? heed_checkpoint_folder_open(folder, checkpoints, name, shown, false, HEED_TRUST_NOTHING)
                   : heed_error(HEED_FAILED, "out of memory for a path");
    free(shown);
    *found = status == HEED_OK;
    unread += status == HEED_IO;
    if (status == HEED_INVALID)
      steps[bad++] = steps[i];
    if (status != HEED_OK && status != HEED_FAILED)
      heed_warn("%s; this checkpoint is passed over", heed_error_text());
  }
  if (damaged)
    *damaged = (heed_steps){steps, bad};
  else
    free(steps);
  if (status == HEED_FAILED || *found || unread == 0)
    return status == HEED_FAILED ? status : HEED_OK;
  return heed_error(HEED_IO, "%s: %lld of its %lld checkpoints cannot be read (above: why), and none is good; mend that and try again",
                    path, (long long)unread, (long long)count);
}

bool heed_checkpoint_is(int folder) {
  struct stat is;
  return fstatat(folder, HEED_MANIFEST_FILE, &is, AT_SYMLINK_NOFOLLOW) == 0 ||
         fstatat(folder, HEED_STATE_FILE, &is, AT_SYMLINK_NOFOLLOW) == 0;
}

heed_status heed_checkpoint_named_open(const char *path, int *directory, bool *is_run) {
  struct stat is;
  heed_status status = heed_folder_open(AT_FDCWD, path, path, true, directory);
  if (status == HEED_INVALID)
    return heed_error(status, "%s; name a run's folder, or a checkpoint's in it (RUN/checkpoints/step-…)", heed_error_text());
  HEED_TRY(status);
  bool run = fstatat(*directory, HEED_CHECKPOINTS_FOLDER, &is, AT_SYMLINK_NOFOLLOW) == 0;
  bool checkpoint = heed_checkpoint_is(*directory);
  *is_run = run && !checkpoint;
  if (run || checkpoint)
    return HEED_OK;
  bool foreign = faccessat(*directory, "model.safetensors", F_OK, 0) == 0;
  close(*directory);
  *directory = -1;
  if (foreign)
    return heed_error(HEED_INVALID, "%s: is a model of transformers; `heed import %s --output CHECKPOINT` makes a checkpoint of it", path,
                      path);
  return heed_error(HEED_INVALID,
                    "%s: is neither a checkpoint (a folder with MANIFEST and state.h5) nor a run (one with checkpoints/); "
                    "name one of these",
                    path);
}

heed_status heed_checkpoints_open(int run, const char *path, int *checkpoints, char **shown) {
  if (asprintf(shown, "%s/" HEED_CHECKPOINTS_FOLDER, path) < 0) {
    *shown = NULL;
    return heed_error(HEED_FAILED, "out of memory for a path");
  }
  heed_status status = heed_folder_open(run, HEED_CHECKPOINTS_FOLDER, *shown, false, checkpoints);
  if (status != HEED_OK) {
    free(*shown);
    *shown = NULL;
  }
  return status;
}

static heed_status open_newest_of_run(heed_folder *folder, int run, const char *path) {
  int checkpoints;
  bool found = false;
  char *shown;
  HEED_TRY(heed_checkpoints_open(run, path, &checkpoints, &shown));
  heed_status status = heed_checkpoint_folder_open_newest(folder, checkpoints, shown, &found, NULL);
  close(checkpoints);
  free(shown);
  if (status == HEED_OK && !found)
    return heed_error(HEED_INVALID, "%s: holds no good checkpoint; name another run, or train this one", path);
  return status;
}

heed_status heed_checkpoint_folder_open_any(heed_folder *folder, const char *path) {
  int directory;
  bool is_run;
  *folder = (heed_folder){0};
  HEED_TRY(heed_checkpoint_named_open(path, &directory, &is_run));
  heed_status status = is_run ? open_newest_of_run(folder, directory, path)
                              : heed_checkpoint_folder_open(folder, directory, ".", path, true, HEED_TRUST_NOTHING);
  close(directory);
  return status;
}
