/* The page of `heed inspect` in a real browser: inspect.py makes it and uses it.  HEED_SCREENSHOTS=FOLDER keeps a picture. */
#include "command.h"
#include "test.h"

static int code;

static void is_used_in_a_browser(void) {
  code =
      command_run("command -v python3 >/dev/null || { echo 'no python3, which speaks to the browser'; exit 77; }; python3 -B " HEED_SOURCE
                  "/tests/pages/inspect.py " HEED_PROGRAM " " HEED_SOURCE);
  if (code != 0)
    printf("\n%s", command_output);
  CU_ASSERT(code == 0 || code == 77);
}

int main(void) {
  static const CU_TestInfo tests[] = {{"is used in a browser", is_used_in_a_browser}, CU_TEST_INFO_NULL};
  int failed = heed_tests_run(__FILE__, tests);
  return failed ? failed : code;
}
