#include "measure/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { PATIENCE = 10, NOT_STARTED = 127 };

static sigset_t held_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  sigaddset(&set, SIGCHLD);
  return set;
}

void heed_child_hold(sigset_t *before) {
  sigset_t held = held_signals();
  sigprocmask(SIG_BLOCK, &held, before);
}

void heed_child_release(const sigset_t *before) {
  sigprocmask(SIG_SETMASK, before, NULL);
}

/* In the new process.  A process group of its own keeps Ctrl-C from it: we pass that on ourselves, in order. */
static void become(char *const arguments[], const char *output, const sigset_t *before, pid_t parent) {
  int in = open("/dev/null", O_RDONLY), out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (in < 0 || out < 0 || getppid() != parent)
    _exit(NOT_STARTED);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  close(in);
  close(out);
  sigprocmask(SIG_SETMASK, before, NULL);
  execvp(arguments[0], arguments);
  dprintf(STDERR_FILENO, "error: %s could not be started: %s\n", arguments[0], strerror(errno));
  _exit(NOT_STARTED);
}

/* Waits for the end of `child`, passing on what asks us to end.  Returns the signal that did, or 0. */
static int attend(pid_t child, int *status) {
  const sigset_t held = held_signals();
  const struct timespec second = {.tv_sec = 1};
  int asked = 0;
  double since = 0;
  while (waitpid(child, status, WNOHANG) == 0) {
    int came = sigtimedwait(&held, NULL, &second);
    if (came > 0 && came != SIGCHLD && !asked) {
      asked = came;
      since = heed_seconds();
      kill(-child, SIGTERM);
    }
    if (asked && heed_seconds() - since > PATIENCE)
      kill(-child, SIGKILL);
  }
  return asked;
}

heed_status heed_child_run(char *const arguments[], const char *output, const sigset_t *before, int *code) {
  struct sigaction usual = {.sa_handler = SIG_DFL}; /* an ignored SIGCHLD would take the exit code away */
  int status = 0;
  sigaction(SIGCHLD, &usual, NULL);
  fflush(NULL);
  pid_t parent = getpid(), child = fork();
  if (child < 0)
    return heed_error(HEED_FAILED, "%s: no process could be made: %s", arguments[0], strerror(errno));
  if (child == 0)
    become(arguments, output, before, parent);
  setpgid(child, child); /* both do it, whoever comes first */
  int asked = attend(child, &status);
  *code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (!asked)
    return HEED_OK;
  raise(asked); /* pending until heed_child_release */
  return heed_error(HEED_STOPPED, "%s was ended on request", arguments[0]);
}
