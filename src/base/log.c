#include "heed/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static int log_rank = 0, log_size = 1;
static bool log_quiet = false, progress_open = false;

void heed_log_set_rank(int rank, int size) {
  log_rank = rank;
  log_size = size;
}

void heed_log_set_quiet(bool quiet) {
  log_quiet = quiet;
}

bool heed_log_is_terminal(void) {
  return isatty(STDERR_FILENO);
}

void heed_progress_end(void) {
  if (progress_open)
    fputc('\n', stderr);
  progress_open = false;
}

/* One write a message, so that lines of several ranks do not mix. */
static void say(const char *prefix, const char *format, va_list arguments) {
  char text[4096];
  int used = snprintf(text, sizeof text, "%s", prefix);
  vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
  heed_progress_end();
  fprintf(stderr, "%s\n", text);
}

void heed_info(const char *format, ...) {
  if (log_rank != 0 || log_quiet)
    return;
  va_list arguments;
  va_start(arguments, format);
  say("", format, arguments);
  va_end(arguments);
}

void heed_warn(const char *format, ...) {
  if (log_rank != 0)
    return;
  va_list arguments;
  va_start(arguments, format);
  say("warning: ", format, arguments);
  va_end(arguments);
}

void heed_rank_warn(const char *format, ...) {
  char prefix[48] = "warning: ";
  if (log_size > 1)
    snprintf(prefix, sizeof prefix, "warning: rank %d: ", log_rank);
  va_list arguments;
  va_start(arguments, format);
  say(prefix, format, arguments);
  va_end(arguments);
}

void heed_progress(const char *format, ...) {
  if (log_rank != 0 || log_quiet)
    return;
  va_list arguments;
  va_start(arguments, format);
  if (heed_log_is_terminal()) {
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    progress_open = true;
  } else {
    say("", format, arguments);
  }
  va_end(arguments);
}
