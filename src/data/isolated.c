#include "data/isolated.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_BYTES = 1024 };

/* Shared by both processes; the result lies behind it. */
typedef struct answer {
  bool complete; /* set last: the child came to its end */
  heed_status status;
  char text[TEXT_BYTES];
  _Alignas(max_align_t) char result[];
} answer;

/* A crash is told by us, once: not by the C library, nor by a sanitizer. */
static void be_silent(void) {
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0)
    dup2(nowhere, STDERR_FILENO);
}

static void run(const heed_isolated *task, answer *shared) {
  static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGXCPU, SIGALRM, SIGINT, SIGTERM, SIGHUP};
  sigset_t none;
  for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
    signal(deadly[i], SIG_DFL); /* handlers of the parent (MPI's print a stack, ours save a checkpoint) do not apply */
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0});
  be_silent();
  shared->status = task->work(shared->result, task->argument);
  snprintf(shared->text, sizeof shared->text, "%s", shared->status == HEED_OK ? "" : heed_error_text());
  shared->complete = true;
  _exit(0); /* without the library's own end */
}

heed_status heed_isolated_run(const heed_isolated *task, bool *died) {
  *died = false;
  size_t bytes = sizeof(answer) + task->result_bytes;
  answer *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED)
    return heed_error(HEED_FAILED, "no memory for a child process: %s", strerror(errno));
  if (task->result_bytes > 0)
    memcpy(shared->result, task->result, task->result_bytes);
  pid_t pid = fork();
  if (pid == 0)
    run(task, shared);
  int ended = 0;
  heed_status status = HEED_FAILED;
  if (pid < 0) {
    heed_error(HEED_FAILED, "no child process: %s", strerror(errno));
  } else {
    while (waitpid(pid, &ended, 0) < 0 && errno == EINTR)
      ;
    *died = !shared->complete;
    status = *died ? HEED_FAILED : shared->status;
    if (status != HEED_OK && !*died)
      heed_error(status, "%s", shared->text);
    else if (task->result_bytes > 0)
      memcpy(task->result, shared->result, task->result_bytes);
  }
  munmap(shared, bytes);
  return status;
}
