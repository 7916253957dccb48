/** What bad input is answered with, as tables: input → exit code → message.  Their rows read as documentation; here is what runs them.
 *
 *  All rows share one world: a folder with a vocabulary, a text, a shard, a configuration and a run of a model of milliseconds, made once
 *  by heed itself, and files in which something is wrong (refusals.sh).  Of each row it is checked that
 *  - the exit code is the one said, and the one message (an error, for a code other than 0; else a warning) holds the text said;
 *  - with a refusal nothing else stands on standard error: no second error, no stack, no library's complaint;
 *  - the world is as it was: nothing new, nothing touched.  A row's own files lie in row/, which goes afterwards;
 *  - it took at most 256 MiB. */
#ifndef HEED_TESTS_CLI_REFUSALS_H
#define HEED_TESTS_CLI_REFUSALS_H

#include <fcntl.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"
#include "test.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* the last columns are of few rows */
typedef struct refusal {
  const char *name;
  const char *row;     /**< shell: prepares row/; NULL for nothing */
  const char *command; /**< shell, in the world */
  int code;
  const char *message; /**< a part of it */
  int warnings;        /**< beside the error: of what was tried first */
  const char *needs;   /**< a function of refusals.sh that tells whether the kernel allows it; NULL for nothing */
} refusal;

static char world[] = "/tmp/heed-refusals-XXXXXX";

/* Runs shell text in the world, refusals.sh before it.  \param[out] memory  the most that any of its processes took, in MiB */
static int world_run(const char *text, const char *errors, long *memory) {
  char script[4096];
  struct rusage used;
  int status;
  snprintf(script, sizeof script,
           "source=" HEED_SOURCE " build=" HEED_BUILD " mpiexec=" HEED_MPIEXEC "; . $source/tests/cli/refusals.sh\n%s", text);
  pid_t pid = fork();
  if (pid == 0) {
    int nowhere = open("/dev/null", O_RDWR), to = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (chdir(world) != 0 || dup2(nowhere, STDIN_FILENO) < 0 || dup2(nowhere, STDOUT_FILENO) < 0 || dup2(to, STDERR_FILENO) < 0)
      _exit(126);
    execlp("timeout", "timeout", "600", "bash", "-c", script, NULL);
    _exit(127);
  }
  if (pid < 0 || wait4(pid, &status, 0, &used) != pid)
    return -1;
  *memory = used.ru_maxrss / 1024;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void read_text(const char *path, char *text, size_t bytes) {
  FILE *file = fopen(path, "r");
  text[file ? fread(text, 1, bytes - 1, file) : 0] = 0;
  if (file)
    fclose(file);
}

/* Names, kinds, sizes and times of all that is there, but not of the locks, in which a run's last holder is named. */
static void world_look(char *text, size_t bytes) {
  CU_ASSERT_EQUAL(
      command_run("cd %s && find . -path ./row -prune -o -name .lock -o -type d -printf '%%p/\\n' -o -printf '%%p %%y %%s %%T@ %%i\\n'"
                  " | sort",
                  world),
      0);
  snprintf(text, bytes, "%s", command_output);
}

/* How the lines of standard error are made up. */
typedef struct said {
  int errors, warnings, others;
} said;

static said count_lines(const char *text) {
  said count = {0};
  for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
    bool error = strncmp(line, "error: ", 7) == 0, warning = strncmp(line, "warning: ", 9) == 0;
    count.errors += error;
    count.warnings += warning;
    count.others += !error && !warning;
  }
  return count;
}

/* Why a row is not as it says, NULL when it is.  \param[out] errors  what it printed on standard error */
static const char *judge(const refusal *r, char errors[8192]) {
  enum { MOST_MEMORY = 256 };
  static char before[65536], after[65536], log[sizeof world + 8];
  long memory = 0;
  snprintf(log, sizeof log, "%s.log", world);
  if (r->row && world_run(r->row, log, &memory) != 0)
    return "its row could not be prepared";
  world_look(before, sizeof before);
  int code = world_run(r->command, log, &memory);
  world_look(after, sizeof after);
  read_text(log, errors, 8192);
  said count = count_lines(errors);
  CU_ASSERT(command_ended(command_run("chmod -R u+rwx %s/row && rm -rf %s/row && mkdir %s/row", world, world, world), 0));
  if (code != r->code)
    return "another exit code";
  if (count.errors != (code != 0))
    return code ? "not one error" : "an error that is none";
  if (count.warnings != r->warnings || (code != 0 && count.others > 0)) /* what goes on may tell its progress */
    return "more than its message, or less";
  const char *message = strstr(errors, code ? "error: " : "warning: ");
  if (r->message && (!message || !strstr(message, r->message)))
    return "another message";
  if (strcmp(before, after) != 0)
    return "the world is not as it was";
#if !defined(__SANITIZE_ADDRESS__)
  if (memory > MOST_MEMORY)
    return "too much memory";
#endif
  return NULL;
}

/* Whether the kernel allows what a row needs. */
static bool is_possible(const refusal *r) {
  char log[sizeof world + 8];
  long memory;
  snprintf(log, sizeof log, "%s.log", world);
  bool possible = !r->needs || world_run(r->needs, log, &memory) == 0;
  if (!possible)
    printf("\n    left out, since the kernel forbids it (%s): %s", r->needs, r->name);
  return possible;
}

static void check_table(const refusal *rows, size_t count) {
  char errors[8192];
  for (size_t i = 0; i < count; i++) {
    if (!is_possible(&rows[i]))
      continue;
    const char *fault = judge(&rows[i], errors);
    CU_ASSERT_PTR_NULL(fault);
    if (fault)
      printf("\n    %s: %s\n      $ %s\n      expected %d, %d warnings and: %s\n      printed: %s", rows[i].name, fault, rows[i].command,
             rows[i].code, rows[i].warnings, rows[i].message ? rows[i].message : "", errors);
  }
}
#define CHECK_TABLE(rows) check_table(rows, sizeof(rows) / sizeof *(rows))

static void begin(void) {
  char errors[8192], log[sizeof world + 8];
  long memory;
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(world));
  snprintf(log, sizeof log, "%s.log", world);
  if (world_run("set -e; make_good_files; make_bad_files; make_foreign_models", log, &memory) != 0) {
    read_text(log, errors, sizeof errors);
    printf("%s\n", errors);
    CU_FAIL_FATAL("the world could not be made");
  }
}

static void end(void) {
  CU_ASSERT(command_ended(command_run("rm -rf %s %s.log", world, world), 0));
}

#endif
