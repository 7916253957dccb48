#include "comm/launcher.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"
#include "comm/placement.h"
#include "heed/log.h"
#include "heed/status.h"

enum { EVERY = 1000 /* milliseconds */ };

/* One a process, as its parent is.  From the start of the thread on it is the thread's. */
static struct {
  pid_t process;
  pthread_t thread;
  bool running;
  int wake; /* readable when the thread is to end */
} launcher = {.wake = -1};

static void *watch(void *unused) {
  struct pollfd wake = {.fd = launcher.wake, .events = POLLIN};
  heed_placement_leave();
  while (poll(&wake, 1, EVERY) <= 0)
    if (getppid() != launcher.process) {
      if (heed_log_speaks())
        heed_alarm("error: what launched this job is gone: it ends");
      _exit(HEED_FAILED);
    }
  return unused;
}

void heed_launcher_watch(void) {
  if (launcher.running)
    return;
  launcher.process = getppid();
  launcher.wake = eventfd(0, EFD_CLOEXEC);
  const int error = launcher.wake < 0 ? errno : heed_thread_start(&launcher.thread, watch, NULL);
  launcher.running = error == 0;
  if (error != 0)
    heed_warn("should mpirun be killed, this job may go on unseen: %s", strerror(error));
}

void heed_launcher_leave(void) {
  if (launcher.running && eventfd_write(launcher.wake, 1) == 0)
    pthread_join(launcher.thread, NULL);
  if (launcher.wake >= 0)
    close(launcher.wake);
  launcher.running = false;
  launcher.wake = -1;
}
