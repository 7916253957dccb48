/* The rate of a file system: found where a folder is and where it is to be, and nothing is left. */
#include "measure/disk.h"

#include <stdlib.h>
#include <unistd.h>

#include "command.h"
#include "test.h"

static void measures_and_leaves_nothing(void) {
  static const char *const paths[] = {"", "/missing", "/missing/deeper/still", "/file"};
  char folder[] = "/tmp/heed-disk-test-XXXXXX", path[256];
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_EQUAL(command_run("echo x > %s/file", folder), 0);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    double rate = 0;
    snprintf(path, sizeof path, "%s%s", folder, paths[i]);
    CU_ASSERT_EQUAL(heed_disk_measure(&rate, path, 100), HEED_OK);
    CU_ASSERT(rate > 0);
  }
  CU_ASSERT_EQUAL(command_run("cd %s && ls -A", folder), 0);
  CU_ASSERT_STRING_EQUAL(command_output, "file\n");
  CU_ASSERT_EQUAL(command_run("rm -r %s", folder), 0);
}

static void relative_paths_are_of_this_folder(void) {
  char folder[] = "/tmp/heed-disk-test-XXXXXX", before[4096];
  double rate = 0;
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(before, sizeof before));
  CU_ASSERT_EQUAL_FATAL(chdir(folder), 0);
  CU_ASSERT_EQUAL(heed_disk_measure(&rate, "runs/mine", 100), HEED_OK);
  CU_ASSERT(rate > 0);
  CU_ASSERT_EQUAL(chdir(before), 0);
  CU_ASSERT_EQUAL(rmdir(folder), 0); /* it is empty */
}

static void says_where_it_cannot(void) {
  double rate = 0;
  CU_ASSERT_EQUAL(heed_disk_measure(&rate, "/proc/sys", 100), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/proc/sys"));
}

HEED_TESTS({"measures and leaves nothing", measures_and_leaves_nothing},
           {"relative paths are of this folder", relative_paths_are_of_this_folder}, {"says where it cannot", says_where_it_cannot})
