/* The run folder, tried: rank 0 does below it what saving does, and every rank looks whether it sees that. */
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "checkpoint/file.h"
#include "measure/child.h"
#include "measure/doctor.h"

/* How long a network's file system may take to show a rank what another wrote. */
#define PATIENCE 3.0

/* What rank 0 made for the trial and tells the others.  All look for it under the same name, as they would for a run's files. */
typedef struct trial {
  char folder[HEED_DOCTOR_PATH + 32], token[17];
  bool is_on;
} trial;

static void file_in(char *path, size_t bytes, const trial *t) {
  snprintf(path, bytes, "%s/token", t->folder);
}

/* The deepest folder on the way to `path` that is there: `path` itself, or the one that it would be made in. */
static heed_status find_ground(const char *path, char ground[HEED_DOCTOR_PATH], bool *is_there) {
  struct stat is;
  if (snprintf(ground, HEED_DOCTOR_PATH, "%s", path) >= HEED_DOCTOR_PATH)
    return heed_error(HEED_INVALID, "%.40s…: the path is longer than %d bytes", path, HEED_DOCTOR_PATH - 1);
  for (size_t end = strlen(ground); end > 1 && ground[end - 1] == '/'; end--)
    ground[end - 1] = 0;
  *is_there = lstat(ground, &is) == 0;
  while (lstat(ground, &is) != 0 && (errno == ENOENT || errno == ENOTDIR) && strcmp(ground, ".") != 0) {
    char *slash = strrchr(ground, '/');
    if (!slash)
      strcpy(ground, ".");
    else
      slash[slash == ground] = 0;
  }
  return HEED_OK;
}

/* The type of the file system that holds a folder: of the mount whose point is the longest beginning of its path, the last of equals.
 * Below a changed root no mount may be told: its number then (statfs(2)). */
static void find_file_system(heed_doctor_run *run, const char *folder) {
  struct statvfs room;
  struct statfs kind;
  char *path = realpath(folder, NULL);
  FILE *mounts = setmntent("/proc/self/mounts", "re");
  size_t longest = 0;
  for (struct mntent *mount; path && mounts && (mount = getmntent(mounts));) {
    const size_t length = strcmp(mount->mnt_dir, "/") == 0 ? 0 : strlen(mount->mnt_dir);
    if (length < longest || strncmp(path, mount->mnt_dir, length) != 0 || (path[length] && path[length] != '/'))
      continue;
    longest = length;
    snprintf(run->file_system, sizeof run->file_system, "%s", mount->mnt_type);
  }
  if (mounts)
    endmntent(mounts);
  free(path);
  if (!run->file_system[0] && statfs(folder, &kind) == 0)
    snprintf(run->file_system, sizeof run->file_system, "type 0x%lx", (unsigned long)kind.f_type);
  run->free_bytes = statvfs(folder, &room) == 0 ? (uint64_t)room.f_bavail * room.f_frsize : SIZE_MAX;
}

/* Makes the trial's folder where the run folder is, or will be.  The run folder itself may not be a link: training refuses that. */
static heed_status make_folder(heed_doctor_run *run, const char *path, trial *t, int *folder) {
  char ground[HEED_DOCTOR_PATH];
  int there;
  HEED_TRY(find_ground(path, ground, &run->is_there));
  HEED_TRY(heed_folder_open(AT_FDCWD, ground, ground, !run->is_there, &there));
  close(there);
  find_file_system(run, ground);
  snprintf(t->folder, sizeof t->folder, "%s/.heed-doctor-XXXXXX", ground);
  if (!mkdtemp(t->folder)) {
    t->folder[0] = 0;
    return heed_error(HEED_IO, "%s: the folder cannot be written: %s", ground, strerror(errno));
  }
  return heed_folder_open(AT_FDCWD, t->folder, t->folder, false, folder);
}

/* What a save does: a file written, made durable and renamed; a folder renamed and made durable. */
static heed_status save(const trial *t, int folder) {
  char path[sizeof t->folder + 8];
  file_in(path, sizeof path, t);
  HEED_TRY(heed_file_replace(path, t->token, strlen(t->token)));
  if (mkdirat(folder, "before", 0777) != 0)
    return heed_error(HEED_IO, "%s: a folder cannot be made in it: %s", t->folder, strerror(errno));
  if (renameat(folder, "before", folder, "after") != 0)
    return heed_error(HEED_IO, "%s: a folder cannot be renamed in it: %s", t->folder, strerror(errno));
  return heed_file_sync(folder, t->folder);
}

/* Asks for the lock twice.  \param[out] held  the file that holds it, −1 for none */
static heed_status lock_twice(heed_doctor_run *run, const trial *t, int folder, int *held) {
  int second;
  HEED_TRY(heed_lock_try(folder, t->folder, held, &run->lock));
  if (run->lock != HEED_LOCK_TAKEN)
    return HEED_OK;
  HEED_TRY(heed_lock_try(folder, t->folder, &second, &run->lock));
  close(second);
  return HEED_OK;
}

static heed_status begin_trial(heed_doctor_run *run, const char *path, trial *t, int *held) {
  int folder = -1;
  heed_random_digits(t->token);
  heed_status status = make_folder(run, path, t, &folder);
  if (status == HEED_OK)
    status = save(t, folder);
  if (status == HEED_OK)
    status = lock_twice(run, t, folder, held);
  if (folder >= 0)
    close(folder);
  return status;
}

/* Whether the file is there and holds the token: at once, or a little later. */
static heed_doctor_sight look(const trial *t) {
  const struct timespec pause = {.tv_nsec = 50000000};
  const double begun = heed_seconds();
  char path[sizeof t->folder + 8], *text;
  size_t bytes;
  file_in(path, sizeof path, t);
  for (bool seen = false;; nanosleep(&pause, NULL)) {
    if (heed_file_take(path, "a token", sizeof t->token, &text, &bytes) == HEED_OK) {
      seen = strcmp(text, t->token) == 0;
      free(text);
    }
    if (seen)
      return HEED_SEEN;
    if (heed_seconds() - begun > PATIENCE)
      return HEED_UNSEEN;
  }
}

/* From another machine than rank 0's: a lock that is had again there would let two jobs into one folder. */
static bool has_own_lock(const trial *t) {
  heed_lock_answer answer;
  int folder, file;
  if (heed_folder_open(AT_FDCWD, t->folder, t->folder, false, &folder) != HEED_OK)
    return false;
  const bool asked = heed_lock_try(folder, t->folder, &file, &answer) == HEED_OK;
  close(folder);
  if (asked)
    close(file);
  return asked && answer == HEED_LOCK_TAKEN;
}

void heed_doctor_try_folder(heed_doctor_run *run, heed_doctor_rank *rank, const heed_config *config, heed_communication *communication) {
  trial t = {0};
  int held = -1;
  sigset_t before;
  if (communication->rank == 0) {
    *run = (heed_doctor_run){.free_bytes = SIZE_MAX, .keep = config->checkpoint.keep, .lock = HEED_LOCK_HELD};
    snprintf(run->folder, sizeof run->folder, "%s", config->run.output);
    heed_child_hold(&before); /* until the trial's folder is gone */
    t.is_on = begin_trial(run, config->run.output, &t, &held) == HEED_OK;
    if (!t.is_on)
      snprintf(run->error, sizeof run->error, "%s", heed_error_text());
  }
  communication->broadcast(communication, &t, sizeof t);
  if (t.is_on) {
    rank->sight = look(&t);
    rank->lock_is_its_own = rank->sight == HEED_SEEN && rank->machine == rank->rank && rank->rank != 0 && has_own_lock(&t);
    communication->barrier(communication);
  }
  if (communication->rank != 0)
    return;
  if (held >= 0)
    close(held);
  if (t.folder[0])
    (void)heed_tree_remove(AT_FDCWD, t.folder);
  heed_child_release(&before);
}
