#include "base/failpoint.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static int in_child(const char *text, int passings) {
  int status = 0;
  pid_t child = fork();
  if (child == 0) {
    if (!freopen("/dev/null", "w", stderr))
      _exit(9);
    setenv("HEED_FAILPOINT", text, 1);
    alarm(1); /* of what hangs */
    for (int i = 0; i < passings; i++)
      if (heed_failpoint(HEED_AT_SAVE_SYNC) != HEED_OK)
        _exit(HEED_IO);
    _exit(0);
  }
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void acts_at_the_nth_passing(void) {
  CU_ASSERT_EQUAL(in_child("", 3), 0);
  CU_ASSERT_EQUAL(in_child("save.sync", 1), -SIGKILL);
  CU_ASSERT_EQUAL(in_child("save.sync:3", 2), 0);
  CU_ASSERT_EQUAL(in_child("save.sync:3", 3), -SIGKILL);
  CU_ASSERT_EQUAL(in_child("save.sync:2:exit", 2), 1);
  CU_ASSERT_EQUAL(in_child("save.sync:2:error", 2), HEED_IO);
  CU_ASSERT_EQUAL(in_child("save.sync:2:hang", 1), 0);
  CU_ASSERT_EQUAL(in_child("save.sync:2:hang", 2), -SIGALRM);
  CU_ASSERT_EQUAL(in_child("save.rename", 3), 0);
  CU_ASSERT_EQUAL(in_child("save.sync:2-3:error", 1), 0);
}

static void nonsense_ends_the_program(void) {
  static const char *const nonsense[] = {
      "save.snyc",    "save.sync:0", "save.sync:x", "save.sync:1:explode", "save.sync:", "save.sync:3-2", "save.sync:3-",
      "save.sync:-3", "save",        ":1"};
  for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++)
    CU_ASSERT_EQUAL(in_child(nonsense[i], 1), HEED_USAGE);
}

static void acts_from_one_passing_to_another(void) {
  heed_failpoint_set("save.agree:2-4:error");
  for (int passing = 1; passing <= 6; passing++)
    CU_ASSERT_EQUAL(heed_failpoint(HEED_AT_SAVE_AGREE), passing >= 2 && passing <= 4 ? HEED_IO : HEED_OK);
  heed_failpoint_set(NULL);
}

static void acts_once_and_names_itself(void) {
  heed_failpoint_set("save.agree:2:error");
  CU_ASSERT_EQUAL(heed_failpoint(HEED_AT_SAVE_AGREE), HEED_OK);
  CU_ASSERT_EQUAL(heed_failpoint(HEED_AT_SAVE_AGREE), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "save.agree"));
  CU_ASSERT_EQUAL(heed_failpoint(HEED_AT_SAVE_AGREE), HEED_OK);
  heed_failpoint_set(NULL);
  for (int i = 0; i < HEED_FAILPOINT_COUNT; i++)
    CU_ASSERT_PTR_NOT_NULL(heed_failpoint_names[i]);
}

HEED_TESTS({"acts at the n-th passing", acts_at_the_nth_passing}, {"nonsense ends the program", nonsense_ends_the_program},
           {"acts from one passing to another", acts_from_one_passing_to_another},
           {"acts once and names itself", acts_once_and_names_itself})
