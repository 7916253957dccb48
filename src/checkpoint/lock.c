#include "checkpoint/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/file.h"
#include "checkpoint/heartbeat.h"

#define LOCK_FILE ".lock"
enum { HOLDER_BYTES = 160 };
static const double HEARTBEAT_PERIOD = 5.0; /* seconds */

struct heed_lock {
  int file;
  heed_heartbeat *heartbeat; /* NULL with a kernel lock */
};

static heed_status open_lock(int folder, const char *path, int *file) {
  struct stat is;
  *file = openat(folder, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (*file < 0 && errno != ELOOP && errno != EISDIR)
    return heed_error(HEED_IO, "%s: the run folder cannot be written: %s", path, strerror(errno));
  if (*file >= 0 && fstat(*file, &is) == 0 && S_ISREG(is.st_mode))
    return HEED_OK;
  if (*file >= 0)
    close(*file);
  *file = -1;
  return heed_error(HEED_INVALID, "%s/" LOCK_FILE ": is not a file; remove it", path);
}

static heed_status held_by_another(int file, const char *path) {
  char holder[HOLDER_BYTES + 1] = "";
  if (pread(file, holder, HOLDER_BYTES, 0) <= 0)
    strcpy(holder, "unknown");
  return heed_error(HEED_INVALID, "%s: another job is using this run folder (%.*s); wait for its end or choose another run.output", path,
                    (int)strcspn(holder, "\n"), holder);
}

/* Who holds it, for the message of the one who does not get it: not needed for the lock to work. */
static void write_holder(int file) {
  char host[65] = "unknown", holder[HOLDER_BYTES];
  gethostname(host, sizeof host - 1);
  int bytes = snprintf(holder, sizeof holder, "host %s process %ld\n", host, (long)getpid());
  if (ftruncate(file, 0) != 0 || heed_file_write(file, LOCK_FILE, holder, (size_t)bytes, 0) != HEED_OK)
    return;
}

heed_status heed_lock_try(int folder, const char *path, int *file, heed_lock_answer *answer) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int failed;
  HEED_TRY(open_lock(folder, path, file));
  do
    failed = fcntl(*file, F_OFD_SETLK, &whole);
  while (failed && errno == EINTR);
  if (!failed)
    *answer = HEED_LOCK_TAKEN;
  else if (errno == EAGAIN || errno == EACCES)
    *answer = HEED_LOCK_HELD;
  else /* ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL … */
    *answer = HEED_LOCK_NONE;
  return HEED_OK;
}

heed_status heed_lock_take(heed_lock **lock, int folder, const char *path) {
  heed_lock_answer answer;
  *lock = calloc(1, sizeof **lock);
  if (!*lock)
    return heed_error(HEED_FAILED, "out of memory for the run's lock");
  heed_status status = heed_lock_try(folder, path, &(*lock)->file, &answer);
  if (status == HEED_OK) {
    if (answer == HEED_LOCK_TAKEN)
      write_holder((*lock)->file);
    else if (answer == HEED_LOCK_HELD)
      status = held_by_another((*lock)->file, path);
    else
      status = heed_heartbeat_take(&(*lock)->heartbeat, folder, path, HEARTBEAT_PERIOD);
  }
  if (status != HEED_OK) {
    if ((*lock)->file >= 0)
      close((*lock)->file);
    free(*lock);
    *lock = NULL;
  }
  return status;
}

heed_status heed_lock_check(const heed_lock *lock) {
  if (lock && lock->heartbeat && heed_heartbeat_is_lost(lock->heartbeat))
    return heed_error(HEED_IO, "another job has taken over the run folder while this one stood still");
  return HEED_OK;
}

void heed_lock_release(heed_lock *lock) {
  if (!lock)
    return;
  heed_heartbeat_release(lock->heartbeat);
  close(lock->file);
  free(lock);
}
