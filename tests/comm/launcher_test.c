/* A process whose launcher was killed ends, also one that is caught in MPI_Init and never comes to watch over anything else. */
#include "comm/launcher.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "heed/status.h"
#include "test.h"

/* Forks a launcher that forks a process, which watches and then does nothing for a minute.  The process becomes ours when the launcher is
 * gone. */
static pid_t launch(pid_t *process, void (*work)(void)) {
  int ready[2];
  CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
  const pid_t launcher = fork();
  if (launcher == 0) {
    const pid_t own = fork();
    if (own == 0) {
      const pid_t self = getpid();
      work();
      if (write(ready[1], &self, sizeof self) == (ssize_t)sizeof self)
        sleep(60);
      _exit(0);
    }
    waitpid(own, NULL, 0);
    _exit(1);
  }
  CU_ASSERT_EQUAL_FATAL(read(ready[0], process, sizeof *process), (ssize_t)sizeof *process);
  close(ready[0]);
  close(ready[1]);
  return launcher;
}

static void watch_twice(void) {
  heed_launcher_watch();
  heed_launcher_watch();
}

static void leave(void) {
  heed_launcher_watch();
  heed_launcher_leave();
  heed_launcher_leave();
}

static void end(pid_t process) {
  kill(process, SIGKILL);
  CU_ASSERT_EQUAL(waitpid(process, NULL, 0), process);
}

static void ends_with_its_launcher(void) {
  int code = 0;
  pid_t process;
  const pid_t launcher = launch(&process, watch_twice);
  usleep(2500000); /* it looks, and goes on */
  CU_ASSERT_EQUAL(waitpid(launcher, NULL, WNOHANG), 0);
  const double begun = heed_seconds();
  end(launcher);
  CU_ASSERT_EQUAL(waitpid(process, &code, 0), process);
  CU_ASSERT(WIFEXITED(code) && WEXITSTATUS(code) == HEED_FAILED);
  CU_ASSERT(heed_seconds() - begun < 10);
}

static void left_it_goes_on(void) {
  int code;
  pid_t process;
  end(launch(&process, leave));
  usleep(2500000);
  CU_ASSERT_EQUAL(waitpid(process, &code, WNOHANG), 0);
  end(process);
}

static void begin(void) {
  CU_ASSERT_EQUAL_FATAL(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
}

HEED_TESTS({"begin", begin}, {"ends with its launcher", ends_with_its_launcher}, {"left, it goes on", left_it_goes_on})
