#include "base/cast.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "test.h"

static int ends_by(int64_t value) {
  int state;
  pid_t child = fork();
  if (child == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (!freopen("/dev/null", "w", stderr))
      _exit(1);
    heed_int(value);
    _exit(0);
  }
  waitpid(child, &state, 0);
  return WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state);
}

static void passes_what_fits(void) {
  CU_ASSERT_EQUAL(heed_int(INT_MAX), INT_MAX);
  CU_ASSERT_EQUAL(heed_int(INT_MIN), INT_MIN);
  CU_ASSERT_EQUAL(ends_by(5), 0);
}

static void stops_at_what_does_not(void) {
  CU_ASSERT_EQUAL(ends_by((int64_t)INT_MAX + 1), SIGABRT);
  CU_ASSERT_EQUAL(ends_by((int64_t)INT_MIN - 1), SIGABRT);
  CU_ASSERT_EQUAL(ends_by(INT64_C(1) << 32), SIGABRT); /* its low word is 0 */
}

static void the_clock_goes_on(void) {
  double start = heed_seconds();
  usleep(20000);
  double passed = heed_seconds() - start;
  CU_ASSERT(passed >= 0.02 && passed < 20);
}

HEED_TESTS({"passes what fits", passes_what_fits}, {"stops at what does not", stops_at_what_does_not},
           {"the clock goes on", the_clock_goes_on})
