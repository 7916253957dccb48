/* What `cmake --install` leaves behind serves a program of somebody else: it compiles and links through pkg-config alone and runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

static char folder[] = "/tmp/heed-install-XXXXXX";

/* Runs a command line in the folder; its exit code, and what it printed. */
static int run(char *output, size_t bytes, const char *command) {
  char line[8192];
  snprintf(line, sizeof line, "cd %s && { timeout 240 %s; } 2>&1", folder, command);
  FILE *pipe = popen(line, "r");
  if (!pipe)
    return -1;
  const size_t got = fread(output, 1, bytes - 1, pipe);
  output[got] = 0;
  while (fgetc(pipe) != EOF)
    ;
  const int status = pclose(pipe);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (code != 0)
    fprintf(stderr, "%s\n%s\n", command, output);
  return code;
}

static void installs(void) {
  char output[16384];
  CU_ASSERT_EQUAL_FATAL(run(output, sizeof output, HEED_CMAKE " --install " HEED_BUILD " --prefix first"), 0);
  CU_ASSERT_EQUAL(run(output, sizeof output, "first/bin/heed --version"), 0);
  CU_ASSERT_EQUAL(strncmp(output, "heed ", 5), 0);
  /* Programs are linked in a tree that was moved. */
  CU_ASSERT_EQUAL(run(output, sizeof output, "mv first moved"), 0);
}

#define BUILD                                                                                                                      \
  HEED_COMPILER " -std=c11 -Wall -Werror -Wl,--no-as-needed " HEED_SOURCE "/tests/install_program.c -o program $(" HEED_PKG_CONFIG \
                " --cflags --libs heed)"

static void builds_against_pkg_config(void) {
  char output[16384];
  CU_ASSERT_EQUAL_FATAL(run(output, sizeof output, "find $PWD/moved -name heed.pc"), 0);
  CU_ASSERT_PTR_NOT_NULL_FATAL(strrchr(output, '/'));
  *strrchr(output, '/') = 0;
  setenv("PKG_CONFIG_PATH", output, 1);
  CU_ASSERT_EQUAL_FATAL(run(output, sizeof output, BUILD), 0);
  CU_ASSERT_EQUAL(run(output, sizeof output, "./program"), 0);
  CU_ASSERT_STRING_EQUAL(output, "hidden 64, 1 rank, tokens hello wor ##ld\n");
}

/* The OpenBLAS that was chosen when Heed was built is the one that programs find. */
static void finds_the_same_openblas(void) {
  char output[16384];
  CU_ASSERT_EQUAL(run(output, sizeof output, "ldd program moved/bin/heed"), 0);
  CU_ASSERT_PTR_NULL(strstr(output, "not found"));
  int found = 0;
  for (const char *at = output; (at = strstr(at, "libopenblas.so.0 => ")); at++, found++)
    CU_ASSERT_EQUAL(strncmp(at, "libopenblas.so.0 => " HEED_OPENBLAS_FOLDER "/", strlen("libopenblas.so.0 => " HEED_OPENBLAS_FOLDER "/")),
                    0);
  CU_ASSERT(found > 0);
}

int main(void) {
  if (!mkdtemp(folder))
    return 2;
  static const CU_TestInfo tests[] = {{"installs", installs},
                                      {"builds against pkg-config", builds_against_pkg_config},
                                      {"finds the same OpenBLAS", finds_the_same_openblas},
                                      CU_TEST_INFO_NULL};
  const int failed = heed_tests_run(__FILE__, tests);
  char command[64];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command) != 0 || failed;
}
