/** What a scenario's program says of its runs: lines "ok KEY" or "lost KEY: WHY" for the file that run.sh counts in. */
#ifndef HEED_TESTS_FAULTS_REPORT_H
#define HEED_TESTS_FAULTS_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline bool is_long(void) {
  const char *wanted = getenv("long");
  return wanted && strcmp(wanted, "1") == 0;
}

static inline unsigned seed(void) {
  const char *text = getenv("seed");
  return text ? (unsigned)strtoul(text, NULL, 10) : 1;
}

/** \param[in] why  what was lost, "" for nothing */
__attribute__((format(printf, 2, 3))) static inline void report(const char *why, const char *format, ...) {
  static FILE *results;
  const char *path = getenv("results");
  if (!results)
    results = path ? fopen(path, "ae") : stdout;
  if (!results)
    abort();
  va_list arguments;
  va_start(arguments, format);
  fputs(*why ? "lost " : "ok ", results);
  vfprintf(results, format, arguments);
  va_end(arguments);
  fprintf(results, "%s%.*s\n", *why ? ": " : "", (int)strcspn(why, "\n"), why);
  fflush(results);
}

#endif
