#include "heed/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static _Atomic int log_rank = 0, log_size = 1; /* threads speak too, one of them before the world is known */
static bool log_quiet = false;
static atomic_bool progress_open = false;

void heed_log_set_rank(int rank, int size) {
  log_rank = rank;
  log_size = size;
}

void heed_log_set_quiet(bool quiet) {
  log_quiet = quiet;
}

/* mpirun gives its ranks a pipe and copies it to its own standard error: the terminal, if there is one, is that of the parent.
 * `link` becomes the way to it. */
static bool parent_has_terminal(char link[64]) {
  char target[64];
  if (!getenv("OMPI_COMM_WORLD_RANK"))
    return false;
  snprintf(link, 64, "/proc/%ld/fd/%d", (long)getppid(), STDERR_FILENO);
  ssize_t length = readlink(link, target, sizeof target - 1);
  target[length > 0 ? length : 0] = 0;
  return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

bool heed_log_is_terminal(void) {
  char link[64];
  const char *kind = getenv("TERM");
  return kind && strcmp(kind, "dumb") != 0 && (isatty(STDERR_FILENO) || parent_has_terminal(link));
}

int heed_log_columns(void) {
  struct winsize size = {0};
  char link[64];
  int terminal = -1;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 && parent_has_terminal(link) &&
      (terminal = open(link, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)) >= 0) {
    if (ioctl(terminal, TIOCGWINSZ, &size) != 0)
      size.ws_col = 0;
    close(terminal);
  }
  return size.ws_col > 0 ? size.ws_col : 80;
}

void heed_progress_end(void) {
  if (progress_open)
    fputc('\n', stderr);
  progress_open = false;
}

/* A message is one line, whatever the names in it hold: a control character in a file's name could draw on the terminal. */
static void make_plain(char *text) {
  for (; *text; text++)
    if ((unsigned char)*text < ' ' || *text == 0x7F)
      *text = '?';
}

/* One write a message, so that lines of several ranks do not mix. */
static void say(const char *prefix, const char *format, va_list arguments) {
  char text[4096];
  int used = snprintf(text, sizeof text, "%s", prefix);
  vsnprintf(text + used, sizeof text - (size_t)used, format, arguments);
  make_plain(text);
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

void heed_complain(const char *format, ...) {
  if (log_rank != 0)
    return;
  va_list arguments;
  va_start(arguments, format);
  say("error: ", format, arguments);
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

static void alarm_all(const char *prefix, const char *format, va_list arguments) {
  char text[4096]; /* what a pipe takes at once when it is ready */
  struct pollfd file = {.fd = STDERR_FILENO, .events = POLLOUT};
  const int used = snprintf(text + 1, 64, "%s", prefix);
  vsnprintf(text + 1 + used, sizeof text - 2 - (size_t)used, format, arguments);
  make_plain(text + 1);
  text[0] = '\n'; /* the end of a progress line */
  const size_t length = strlen(text + 1), from = !progress_open;
  text[1 + length] = '\n';
  if (poll(&file, 1, 1000) > 0 && write(STDERR_FILENO, text + from, 2 + length - from) < 0)
    return; /* there is nobody to tell */
}

void heed_alarm(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  alarm_all("", format, arguments);
  va_end(arguments);
}

void heed_rank_alarm(const char *prefix, const char *format, ...) {
  char whole[64];
  if (log_size > 1)
    snprintf(whole, sizeof whole, "%srank %d: ", prefix, log_rank);
  else
    snprintf(whole, sizeof whole, "%s", prefix);
  va_list arguments;
  va_start(arguments, format);
  alarm_all(whole, format, arguments);
  va_end(arguments);
}

bool heed_log_speaks(void) {
  return log_rank == 0;
}

void heed_log_from_handler(const char *line) {
  const int error = errno;
  if (log_rank != 0)
    return;
  if ((progress_open && write(STDERR_FILENO, "\n", 1) < 0) || write(STDERR_FILENO, line, strlen(line)) < 0)
    errno = error; /* there is nobody to tell */
  errno = error;
}

void heed_progress(const char *format, ...) {
  if (log_rank != 0 || log_quiet)
    return;
  va_list arguments;
  va_start(arguments, format);
  if (heed_log_is_terminal()) {
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "\r\033[K\033[?7l%s\033[?7h", text); /* ?7l: cut at the edge; a line that wraps could not be drawn over */
    fflush(stderr);
    progress_open = true;
  } else {
    say("", format, arguments);
  }
  va_end(arguments);
}
