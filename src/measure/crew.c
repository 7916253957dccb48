#include "measure/crew.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What all members see; the caller's block lies behind it. */
typedef struct board {
  pthread_barrier_t gate;
  atomic_bool failed; /* by whom the text is */
  heed_status status;
  char text[2048];
} board;

enum { BLOCK = (sizeof(board) + 63) / 64 * 64 };

void heed_crew_meet(const heed_crew *crew) {
  pthread_barrier_wait(crew->gate);
}

/* In a new process.  What the parent's buffers hold is the parent's to write: no exit handlers. */
static _Noreturn void become_member(board *b, int member, int size, pid_t parent, heed_crew_work *work, void *self) {
  const heed_crew crew = {.member = member, .size = size, .shared = (char *)b + BLOCK, .gate = &b->gate};
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent)
    _exit(1);
  heed_status status = work(&crew, self);
  if (status != HEED_OK && !atomic_exchange(&b->failed, true)) {
    b->status = status;
    snprintf(b->text, sizeof b->text, "%s", heed_error_text());
  }
  _exit(status);
}

/* Waits for all; when one fails the others, which may wait for it, are ended. */
static bool attend(pid_t *members, int size) {
  const struct timespec moment = {.tv_nsec = 5000000};
  bool well = true;
  for (int left = size; left > 0; nanosleep(&moment, NULL))
    for (int i = 0; i < size; i++) {
      int status = 0;
      if (members[i] == 0 || waitpid(members[i], &status, WNOHANG) == 0)
        continue;
      members[i] = 0;
      left--;
      if (status == 0)
        continue;
      well = false;
      for (int other = 0; other < size; other++)
        if (members[other] > 0)
          kill(members[other], SIGKILL);
    }
  return well;
}

static heed_status start_all(board *b, int size, heed_crew_work *work, void *self) {
  pid_t parent = getpid(), *members = calloc((size_t)size, sizeof *members);
  int started = 0;
  if (!members)
    return heed_error(HEED_FAILED, "out of memory for a measurement");
  fflush(NULL);
  for (; started < size; started++) {
    members[started] = fork();
    if (members[started] == 0)
      become_member(b, started, size, parent, work, self);
    if (members[started] < 0)
      break;
  }
  heed_status status = HEED_OK;
  if (started < size) {
    status = heed_error(HEED_FAILED, "no process could be made: %s", strerror(errno));
    for (int i = 0; i < started; i++)
      kill(members[i], SIGKILL);
  }
  const bool well = attend(members, started);
  if ((!well || atomic_load(&b->failed)) && status == HEED_OK)
    status = b->status != HEED_OK ? heed_error(b->status, "%s", b->text)
                                  : heed_error(HEED_FAILED, "a process that measured was ended from outside; was memory short?");
  free(members);
  return status;
}

heed_status heed_crew_run(void *shared, size_t bytes, int size, heed_crew_work *work, void *self) {
  pthread_barrierattr_t between;
  board *b = mmap(NULL, BLOCK + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (b == MAP_FAILED)
    return heed_error(HEED_FAILED, "out of memory for a measurement");
  memcpy((char *)b + BLOCK, shared, bytes);
  pthread_barrierattr_init(&between);
  pthread_barrierattr_setpshared(&between, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&b->gate, &between, (unsigned)size);
  pthread_barrierattr_destroy(&between);
  heed_status status = start_all(b, size, work, self);
  memcpy(shared, (char *)b + BLOCK, bytes);
  munmap(b, BLOCK + bytes); /* the barrier is not destroyed: members that were killed may still count as waiting */
  return status;
}
