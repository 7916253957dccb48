#include "checkpoint/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "base/pulse.h"
#include "checkpoint/file.h"
#include "checkpoint/folder.h"
#include "heed/log.h"

enum { MIN_KEEP = 2 };

/* What killed saves and retirements left: step-N.tmp-X and .trash-X. */
static bool is_leftover(const char *name) {
  return strncmp(name, HEED_TRASH_PREFIX, strlen(HEED_TRASH_PREFIX)) == 0 || (strncmp(name, "step-", 5) == 0 && strstr(name, ".tmp-"));
}

static heed_status sweep(const heed_checkpoint_store *store) {
  int own = openat(store->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *entries = own >= 0 ? fdopendir(own) : NULL;
  if (!entries) {
    heed_status status = heed_error(HEED_IO, "%s: the folder cannot be read: %s", store->path, strerror(errno));
    if (own >= 0)
      close(own);
    return status;
  }
  for (struct dirent *entry; (entry = readdir(entries));)
    if (is_leftover(entry->d_name) && !heed_tree_remove(store->folder, entry->d_name))
      heed_warn("%s/%s: left over from a save that was killed, and cannot be removed: %s", store->path, entry->d_name, strerror(errno));
  closedir(entries);
  return HEED_OK;
}

/* Whether files can be made in the open folder: asked now, not after hours of training. */
static heed_status check_writable(int folder, const char *path) {
  if (faccessat(folder, ".", W_OK | X_OK, AT_EACCESS) == 0)
    return HEED_OK;
  return heed_error(HEED_IO, "%s: the folder cannot be written: %s", path, strerror(errno));
}

static heed_status take_run(heed_checkpoint_store *store, const char *run) {
  HEED_TRY(heed_folder_make(run));
  HEED_TRY(heed_folder_open(AT_FDCWD, run, run, false, &store->run));
  if (heed_checkpoint_is(store->run)) /* whoever names it, an import's for example, would get its own weights and not the run's */
    return heed_error(HEED_INVALID, "%s: is a checkpoint, not a run's folder; choose another run.output", run);
  HEED_TRY(check_writable(store->run, run));
  return heed_lock_take(&store->lock, store->run, run);
}

static heed_status take_checkpoints(heed_checkpoint_store *store, const char *run) {
  if (mkdirat(store->run, HEED_CHECKPOINTS_FOLDER, 0777) == 0)
    HEED_TRY(heed_file_sync(store->run, run));
  else if (errno != EEXIST)
    return heed_error(HEED_IO, "%s: the folder cannot be made: %s", store->path, strerror(errno));
  HEED_TRY(heed_folder_open(store->run, HEED_CHECKPOINTS_FOLDER, store->path, false, &store->folder));
  return check_writable(store->folder, store->path);
}

/* Rank 0's part of opening. */
static heed_status take_folder(heed_checkpoint_store *store, const char *run) {
  HEED_TRY(take_run(store, run));
  HEED_TRY(take_checkpoints(store, run));
  return sweep(store);
}

static void close_folder(int *folder) {
  if (*folder >= 0)
    close(*folder);
  *folder = -1;
}

static bool is_removed(int folder) {
  struct stat is;
  return folder < 0 || fstat(folder, &is) != 0 || is.st_nlink == 0;
}

heed_status heed_store_mend(heed_checkpoint_store *store) {
  if (!is_removed(store->folder))
    return HEED_OK;
  char *run = strndup(store->path, strlen(store->path) - strlen("/" HEED_CHECKPOINTS_FOLDER));
  heed_status status = run ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a path");
  if (status == HEED_OK && (!store->lock || is_removed(store->run))) { /* no lock: it was another job's when it was last tried */
    heed_lock_release(store->lock);
    store->lock = NULL;
    close_folder(&store->run);
    status = take_run(store, run);
  }
  if (status == HEED_OK) {
    close_folder(&store->folder);
    status = take_checkpoints(store, run);
  }
  if (status == HEED_OK)
    heed_warn("%s was removed, with the checkpoints in it; it is made again", store->path);
  free(run);
  return status;
}

heed_status heed_checkpoint_store_open(heed_checkpoint_store **opened, const char *run_folder, int64_t keep,
                                       heed_communication *communication) {
  *opened = NULL;
  char *run = strdup(run_folder ? run_folder : "");
  heed_checkpoint_store *store = calloc(1, sizeof *store);
  heed_status status = HEED_OK;
  for (size_t length = run ? strlen(run) : 0; length > 1 && run[length - 1] == '/'; length--)
    run[length - 1] = 0; /* "run/" would follow a link */
  if (!run || !store || asprintf(&store->path, "%s/" HEED_CHECKPOINTS_FOLDER, run) < 0) {
    if (store)
      store->path = NULL;
    status = heed_error(HEED_FAILED, "out of memory for the checkpoint store");
  } else if (!*run) {
    status = heed_error(HEED_INVALID, "the run folder has no name; set run.output");
  }
  if (store) {
    store->communication = communication;
    store->keep = keep < MIN_KEEP ? MIN_KEEP : keep;
    store->file_bytes = HEED_STATE_FILE_BYTES;
    store->run = store->folder = -1;
  }
  if (status == HEED_OK)
    status = heed_failpoint(HEED_AT_STORE_OPEN);
  if (status == HEED_OK && communication->rank == 0)
    status = take_folder(store, run);
  status = communication->agree(communication, status);
  free(run);
  if (status == HEED_OK)
    *opened = store;
  else
    heed_checkpoint_store_close(store);
  return status;
}

void heed_checkpoint_store_split(heed_checkpoint_store *store, int64_t file_bytes) {
  store->file_bytes = file_bytes;
}

void heed_checkpoint_store_close(heed_checkpoint_store *store) {
  if (!store)
    return;
  heed_background_drop(store);
  heed_lock_release(store->lock);
  close_folder(&store->folder);
  close_folder(&store->run);
  free(store->damaged.steps);
  free(store->path);
  free(store);
}

bool heed_checkpoint_store_is_empty(heed_checkpoint_store *store) {
  int64_t *steps = NULL, count = 0;
  bool empty = false;
  if (store->communication->rank == 0) {
    if (heed_checkpoint_steps(store->folder, store->path, &steps, &count) == HEED_OK)
      empty = count == 0;
    else
      heed_warn("%s; it is not taken for empty", heed_error_text());
  }
  free(steps);
  store->communication->broadcast(store->communication, &empty, sizeof empty);
  return empty;
}

/* Also remembers which are damaged.  Those behind the newest good one are not looked at again: what was found of them stays known. */
static heed_status find_newest(heed_checkpoint_store *store, heed_folder *folder, bool *found) {
  heed_steps now = {0}, *before = &store->damaged;
  heed_status status = heed_checkpoint_folder_open_newest(folder, store->folder, store->path, found, &now);
  int64_t *all = realloc(now.steps, (size_t)(now.count + before->count + 1) * sizeof *all);
  if (!all) {
    free(now.steps);
    return status;
  }
  for (int64_t i = 0; i < before->count; i++)
    if (*found && before->steps[i] < folder->manifest.info.step)
      all[now.count++] = before->steps[i];
  free(before->steps);
  *before = (heed_steps){all, now.count};
  return status;
}

heed_status heed_checkpoint_newest(heed_checkpoint_store *store, char **path) {
  heed_communication *communication = store->communication;
  heed_folder folder = {0};
  bool found = false;
  heed_status status = HEED_OK;
  *path = NULL;
  heed_pulse_enter(HEED_PHASE_LOADING);
  if (communication->rank == 0)
    status = find_newest(store, &folder, &found);
  int64_t bytes = found ? (int64_t)strlen(folder.path) + 1 : 0;
  HEED_TRY(communication->agree(communication, status));
  communication->broadcast(communication, &bytes, sizeof bytes);
  if (bytes > 0) {
    *path = found ? strdup(folder.path) : calloc(1, (size_t)bytes);
    status = *path ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a path");
  }
  if (found)
    heed_checkpoint_folder_close(&folder);
  status = communication->agree(communication, status);
  if (status == HEED_OK && bytes > 0)
    communication->broadcast(communication, *path, (size_t)bytes);
  if (status != HEED_OK) {
    free(*path);
    *path = NULL;
  }
  return status;
}
