/** Running commands from tests: through the shell, with what they print and their exit code. */
#ifndef HEED_TESTS_COMMAND_H
#define HEED_TESTS_COMMAND_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/** What the last command printed, both streams together (cut at 64 KiB). */
static char command_output[65536];

/** Runs a formatted shell command and returns its exit code, or 128 + the signal that ended it. */
__attribute__((format(printf, 1, 2), unused)) static int command_run(const char *format, ...) {
  char command[8192], rest[4096];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(command, sizeof command - 8, format, arguments);
  va_end(arguments);
  if (length < 0 || length >= (int)sizeof command - 8)
    return -1;
  char wrapped[8300];
  snprintf(wrapped, sizeof wrapped, "{ %s; } 2>&1", command);
  FILE *pipe = popen(wrapped, "r");
  if (!pipe)
    return -1;
  size_t bytes = fread(command_output, 1, sizeof command_output - 1, pipe);
  command_output[bytes] = 0;
  while (fread(rest, 1, sizeof rest, pipe) > 0)
    ;
  int status = pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/** Whether a command ended as it should; what it printed is shown if not. */
__attribute__((unused)) static int command_ended(int code, int wanted) {
  if (code != wanted)
    printf("\nexit code %d, not %d; it printed:\n%s\n", code, wanted, command_output);
  return code == wanted;
}

#endif
