/* The comparisons' own arithmetic: what they ask of heed, and the tables they make of both sides' times. */
#include <string.h>

#include "command.h"
#include "test.h"

static void checks(void) {
  CU_ASSERT(
      command_ended(command_run("cd " HEED_SOURCE "/tests/bench && HEED=" HEED_PROGRAM " PYTHONDONTWRITEBYTECODE=1 python3 check.py"), 0));
  if (!strstr(command_output, "checked"))
    printf("\n    %s\n", command_output);
}

static const CU_TestInfo tests[] = {{"checks", checks}, CU_TEST_INFO_NULL};

int main(void) {
  if (command_run("python3 -c ''") != 0) {
    puts("skipped: the comparisons want python3");
    return 77;
  }
  return heed_tests_run(__FILE__, tests);
}
