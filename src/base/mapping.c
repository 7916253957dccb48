#include "base/mapping.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "heed/log.h"

typedef struct mapping mapping;
struct mapping {
  _Atomic(mapping *) next;
  const char *data;
  size_t bytes;
  char path[];
};

static _Atomic(mapping *) all; /* which the handler may read at any time */

heed_status heed_mapping_open(const void **data, int file, size_t bytes, const char *path) {
  mapping *m = calloc(1, sizeof *m + strlen(path) + 1);
  if (!m)
    return heed_error(HEED_FAILED, "out of memory for the name of %s", path);
  void *place = mmap(NULL, bytes, PROT_READ, MAP_SHARED, file, 0);
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

/* The fault is one of ours, at a read of a mapped page: no lock of the C library is held, and formatting text is safe. */
static void take_fault(int number, siginfo_t *about, void *context) {
  (void)context;
  const uintptr_t at = (uintptr_t)about->si_addr;
  for (const mapping *m = atomic_load(&all); m; m = atomic_load(&m->next)) {
    if (at < (uintptr_t)m->data || at >= (uintptr_t)m->data + m->bytes)
      continue;
    if (!heed_log_speaks())
      nanosleep(&(struct timespec){.tv_sec = 3}, NULL); /* mpirun takes two to end a job */
    heed_rank_alarm("error: ", "%s: a part of it can no longer be read: it was cut short while in use, or its disk failed", m->path);
    _exit(HEED_IO);
  }
  signal(number, SIG_DFL); /* the access is made again, and ends the program */
}

void heed_mapping_guard(void) {
  struct sigaction action = {.sa_sigaction = take_fault, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, NULL);
}
