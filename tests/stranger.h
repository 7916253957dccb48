/** The limits that are promised of files from strangers, put on a child process: 2 s and 256 MiB more than it has. */
#ifndef HEED_TESTS_STRANGER_H
#define HEED_TESTS_STRANGER_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) /* reserves terabytes of addresses, and takes its time */
enum { LIMITS_APPLY = 0 };
#else
enum { LIMITS_APPLY = 1 };
#endif

static inline rlim_t limits_used_addresses(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%ld", &pages) != 1)
    abort();
  fclose(file);
  return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/** Runs `work` in a child under the limits.  Its exit code, or 128 + the signal that ended it
 *  (152: beyond its time). */
static inline int limits_run(int (*work)(const void *), const void *argument) {
  enum { SECONDS = 2, MOST_BYTES = 256 << 20 };
  int status = 0;
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    if (LIMITS_APPLY) {
      rlim_t bytes = limits_used_addresses() + MOST_BYTES;
      setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
      setrlimit(RLIMIT_CPU, &(struct rlimit){SECONDS, SECONDS + 1}); /* of its own: the machine may have other work */
      alarm(10 * SECONDS);
    }
    _exit(work(argument));
  }
  if (child < 0 || waitpid(child, &status, 0) != child)
    return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#endif
