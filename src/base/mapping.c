#include "base/mapping.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "heed/log.h"

typedef struct mapping mapping;
struct mapping {
  _Atomic(mapping *) next;
  const char *data;
  size_t bytes;
  struct stat then; /* of the file, when it was mapped */
  char path[];
};

static _Atomic(mapping *) all; /* which the handler may read at any time */

heed_status heed_mapping_open(const void **data, int file, size_t bytes, const char *path) {
  mapping *m = calloc(1, sizeof *m + strlen(path) + 1);
  if (!m)
    return heed_error(HEED_FAILED, "out of memory for the name of %s", path);
  void *place = fstat(file, &m->then) == 0 ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;
  if (place == MAP_FAILED) {
    free(m);
    return heed_error(HEED_IO, "%s: could not be mapped: %s", path, strerror(errno));
  }
  *data = m->data = place;
  m->bytes = bytes;
  strcpy(m->path, path);
  atomic_store(&m->next, atomic_load(&all));
  atomic_store(&all, m);
  return HEED_OK;
}

void heed_mapping_close(const void *data) {
  _Atomic(mapping *) *link = &all;
  mapping *m;
  while ((m = atomic_load(link)) && m->data != data)
    link = &m->next;
  if (!data || !m)
    return;
  atomic_store(link, atomic_load(&m->next));
  munmap((void *)m->data, m->bytes);
  free(m);
}

bool heed_mapping_was_written(const void *data) {
  struct stat now;
  const mapping *m = atomic_load(&all);
  while (m && m->data != data)
    m = atomic_load(&m->next);
  return m && stat(m->path, &now) == 0 && now.st_dev == m->then.st_dev && now.st_ino == m->then.st_ino &&
         (now.st_size != m->then.st_size || now.st_mtim.tv_sec != m->then.st_mtim.tv_sec || now.st_mtim.tv_nsec != m->then.st_mtim.tv_nsec);
}

void heed_mapping_end(const char *path, const char *reason) {
  if (!heed_log_speaks())
    nanosleep(&(struct timespec){.tv_sec = 3}, NULL); /* mpirun takes two to end a job */
  heed_rank_alarm("error: ", "%s: %s", path, reason);
  _exit(HEED_IO);
}

/* The fault is one of ours, at a read of a mapped page: no lock of the C library is held, and formatting text is safe. */
static void take_fault(int number, siginfo_t *about, void *context) {
  (void)context;
  const uintptr_t at = (uintptr_t)about->si_addr;
  for (const mapping *m = atomic_load(&all); m; m = atomic_load(&m->next)) {
    if (at < (uintptr_t)m->data || at >= (uintptr_t)m->data + m->bytes)
      continue;
    heed_mapping_end(m->path, "a part of it can no longer be read: it was cut short while in use, or its disk failed");
  }
  signal(number, SIG_DFL); /* the access is made again, and ends the program */
}

void heed_mapping_guard(void) {
  struct sigaction action = {.sa_sigaction = take_fault, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}
