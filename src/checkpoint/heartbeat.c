#include "checkpoint/heartbeat.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/thread.h"
#include "checkpoint/file.h"
#include "heed/log.h"

enum { BEAT_BYTES = 160, STALE_PERIODS = 6 };

struct heed_heartbeat {
  int folder, file;
  double period;
  char token[17], host[65];
  atomic_bool lost;
  bool stop; /* under `lock` */
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t thread;
};

/* What the file says: "host H process N token T beat B", space-filled to a fixed size, so that rewriting it needs no new block. */
static heed_status read_beat(int folder, char text[BEAT_BYTES + 1], bool *there) {
  int file = openat(folder, HEED_HEARTBEAT_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  memset(text, 0, BEAT_BYTES + 1);
  *there = file >= 0;
  if (file < 0)
    return errno == ENOENT ? HEED_OK : heed_error(HEED_IO, HEED_HEARTBEAT_FILE " cannot be read: %s", strerror(errno));
  ssize_t got = pread(file, text, BEAT_BYTES, 0);
  close(file);
  return got >= 0 ? HEED_OK : heed_error(HEED_IO, HEED_HEARTBEAT_FILE " cannot be read: %s", strerror(errno));
}

static heed_status write_beat(heed_heartbeat *h, long beat) {
  char text[BEAT_BYTES + 1];
  int used = snprintf(text, sizeof text, "host %s process %ld token %s beat %ld", h->host, (long)getpid(), h->token, beat);
  memset(text + used, ' ', (size_t)(BEAT_BYTES - used));
  text[BEAT_BYTES - 1] = '\n';
  HEED_TRY(heed_file_write(h->file, HEED_HEARTBEAT_FILE, text, BEAT_BYTES, 0));
  return heed_file_sync(h->file, HEED_HEARTBEAT_FILE);
}

/* UNKNOWN: there is no file, it cannot be read just now, or not all of it. */
typedef enum owner { OURS, ANOTHERS, UNKNOWN } owner;

static owner owner_of(const heed_heartbeat *h) {
  char text[BEAT_BYTES + 1];
  bool there;
  if (read_beat(h->folder, text, &there) != HEED_OK || !there || text[BEAT_BYTES - 1] != '\n')
    return UNKNOWN;
  return strstr(text, h->token) ? OURS : ANOTHERS;
}

static struct timespec span(double seconds) {
  time_t whole = (time_t)seconds;
  return (struct timespec){.tv_sec = whole, .tv_nsec = (long)(1e9 * (seconds - (double)whole))};
}

static void wait_for(double seconds) {
  struct timespec left = span(seconds);
  while (nanosleep(&left, &left) != 0 && errno == EINTR)
    ;
}

static heed_status held_by(const char *path, const char *text) {
  int length = (int)strcspn(text, "\n");
  const char *token = strstr(text, " token ");
  return heed_error(HEED_INVALID, "%s: another job is using this run folder (%.*s); wait for its end or choose another run.output", path,
                    token ? (int)(token - text) : length, text);
}

/* Watches a file that is there until its beat has stood still for long enough. */
static heed_status wait_until_stale(const heed_heartbeat *h, const char *path) {
  char first[BEAT_BYTES + 1], now[BEAT_BYTES + 1];
  bool there;
  HEED_TRY(read_beat(h->folder, first, &there));
  if (there)
    heed_info("%s: was in use; waiting %.0f s to see whether that job is alive (this file system has no locks)", path,
              STALE_PERIODS * h->period);
  for (int i = 0; there && i < 2 * STALE_PERIODS; i++) {
    wait_for(h->period / 2);
    HEED_TRY(read_beat(h->folder, now, &there));
    if (there && strcmp(first, now) != 0)
      return held_by(path, now);
  }
  return HEED_OK;
}

/* Puts our file in place.  Of two jobs that do so at once the later rename wins, and the other sees that a period later. */
static heed_status take_place(heed_heartbeat *h, const char *path) {
  char name[64], text[BEAT_BYTES + 1];
  bool there;
  snprintf(name, sizeof name, HEED_HEARTBEAT_FILE "-%s", h->token);
  h->file = openat(h->folder, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (h->file < 0)
    return heed_error(HEED_IO, "%s: cannot be written: %s", path, strerror(errno));
  heed_status status = write_beat(h, 0);
  if (status == HEED_OK && renameat(h->folder, name, h->folder, HEED_HEARTBEAT_FILE) != 0)
    status = heed_error(HEED_IO, "%s: cannot be written: %s", path, strerror(errno));
  if (status != HEED_OK) {
    unlinkat(h->folder, name, 0);
    return status;
  }
  wait_for(h->period);
  HEED_TRY(read_beat(h->folder, text, &there));
  return there && strstr(text, h->token) ? HEED_OK : held_by(path, text);
}

static void *beat(void *argument) {
  heed_heartbeat *h = argument;
  pthread_mutex_lock(&h->lock);
  for (long count = 1; !h->stop; count++) {
    struct timespec until, step = span(h->period);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += step.tv_sec + (until.tv_nsec + step.tv_nsec) / 1000000000;
    until.tv_nsec = (until.tv_nsec + step.tv_nsec) % 1000000000;
    pthread_cond_timedwait(&h->wake, &h->lock, &until);
    if (h->stop)
      break;
    if (owner_of(h) == ANOTHERS) {
      atomic_store(&h->lost, true);
      break;
    }
    write_beat(h, count); /* one that fails is seen by others only when it fails for six periods */
  }
  pthread_mutex_unlock(&h->lock);
  return NULL;
}

static heed_status start_thread(heed_heartbeat *h) {
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&h->wake, &clock);
  pthread_condattr_destroy(&clock);
  pthread_mutex_init(&h->lock, NULL);
  int failed = heed_thread_start(&h->thread, beat, h);
  return failed ? heed_error(HEED_FAILED, "the heartbeat's thread cannot be started: %s", strerror(failed)) : HEED_OK;
}

heed_status heed_heartbeat_take(heed_heartbeat **heartbeat, int folder, const char *path, double period) {
  *heartbeat = NULL;
  heed_heartbeat *h = calloc(1, sizeof *h);
  if (!h)
    return heed_error(HEED_FAILED, "out of memory for the run's lock");
  h->folder = folder;
  h->file = -1;
  h->period = period;
  heed_random_digits(h->token);
  if (gethostname(h->host, sizeof h->host - 1) != 0)
    strcpy(h->host, "unknown");
  heed_status status = wait_until_stale(h, path);
  if (status == HEED_OK)
    status = take_place(h, path);
  if (status == HEED_OK)
    status = start_thread(h);
  if (status == HEED_OK) {
    *heartbeat = h;
    return HEED_OK;
  }
  if (h->file >= 0)
    close(h->file);
  free(h);
  return status;
}

bool heed_heartbeat_is_lost(const heed_heartbeat *heartbeat) {
  return atomic_load(&heartbeat->lost);
}

void heed_heartbeat_release(heed_heartbeat *h) {
  if (!h)
    return;
  pthread_mutex_lock(&h->lock);
  h->stop = true;
  pthread_cond_signal(&h->wake);
  pthread_mutex_unlock(&h->lock);
  pthread_join(h->thread, NULL);
  if (owner_of(h) == OURS)
    unlinkat(h->folder, HEED_HEARTBEAT_FILE, 0);
  close(h->file);
  pthread_cond_destroy(&h->wake);
  pthread_mutex_destroy(&h->lock);
  free(h);
}
