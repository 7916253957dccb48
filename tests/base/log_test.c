#include "heed/log.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "test.h"

static char text[20000];

/* Runs `speak` with standard error going to `to`, and keeps what `from` gives back in `text`. */
static void listen(void (*speak)(void), int to, int from) {
  int saved = dup(STDERR_FILENO);
  dup2(to, STDERR_FILENO);
  speak();
  dup2(saved, STDERR_FILENO);
  close(saved);
  size_t used = 0;
  struct pollfd ready = {.fd = from, .events = POLLIN};
  while (used < sizeof text - 1 && poll(&ready, 1, 200) > 0) { /* a terminal passes bytes on a little later */
    ssize_t got = read(from, text + used, sizeof text - 1 - used);
    if (got <= 0)
      break;
    used += (size_t)got;
  }
  text[used] = 0;
}

static void listen_pipe(void (*speak)(void)) {
  int ends[2];
  CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_NONBLOCK), 0);
  listen(speak, ends[1], ends[0]);
  close(ends[0]);
  close(ends[1]);
}

static void speak_all(void) {
  heed_info("info %d", 1);
  heed_warn("look %s", "out");
  heed_rank_warn("mine");
  heed_progress("step %d", 5);
  heed_progress_end();
}

static void rank_0_speaks_for_all(void) {
  listen_pipe(speak_all);
  CU_ASSERT_STRING_EQUAL(text, "info 1\nwarning: look out\nwarning: mine\nstep 5\n");
  heed_log_set_rank(3, 4);
  listen_pipe(speak_all);
  CU_ASSERT_STRING_EQUAL(text, "warning: rank 3: mine\n");
  heed_log_set_rank(0, 4);
  listen_pipe(speak_all);
  CU_ASSERT_STRING_EQUAL(text, "info 1\nwarning: look out\nwarning: rank 0: mine\nstep 5\n");
  heed_log_set_rank(0, 1);
}

static void speak_error(void) {
  heed_complain("it is %s", "over");
}

static void errors_are_named_so(void) {
  listen_pipe(speak_error);
  CU_ASSERT_STRING_EQUAL(text, "error: it is over\n");
  heed_log_set_rank(1, 2);
  listen_pipe(speak_error);
  CU_ASSERT_STRING_EQUAL(text, "");
  heed_log_set_rank(0, 1);
}

static void quiet_keeps_warnings(void) {
  heed_log_set_quiet(true);
  listen_pipe(speak_all);
  CU_ASSERT_STRING_EQUAL(text, "warning: look out\nwarning: mine\n");
  heed_log_set_quiet(false);
}

static void speak_long(void) {
  char word[9000];
  memset(word, 'w', sizeof word);
  word[sizeof word - 1] = 0;
  heed_info("%s", word);
  heed_info("end");
}

static void long_messages_are_cut(void) {
  listen_pipe(speak_long);
  CU_ASSERT(strlen(text) > 4000 && strlen(text) < 4200);
  CU_ASSERT_STRING_EQUAL(text + strlen(text) - 6, "w\nend\n");
}

static void speak_odd_names(void) {
  heed_complain("%s: no such file", "a\nerror: b\033[31m\u00E9\x7F");
}

static void a_message_is_one_plain_line(void) {
  listen_pipe(speak_odd_names);
  CU_ASSERT_STRING_EQUAL(text, "error: a?error: b?[31m\u00E9?: no such file\n");
}

static void speak_progress(void) {
  heed_progress("step 1");
  heed_progress("step 2");
  heed_info("saved");
  heed_progress("step 3");
  heed_progress_end();
  heed_progress_end();
}

/* On a terminal the line is drawn over, and other messages begin on a fresh one. */
static void draws_on_a_terminal(void) {
  int leader = posix_openpt(O_RDWR | O_NOCTTY);
  CU_ASSERT_FATAL(leader >= 0 && grantpt(leader) == 0 && unlockpt(leader) == 0);
  int terminal = open(ptsname(leader), O_RDWR | O_NOCTTY);
  CU_ASSERT_FATAL(terminal >= 0);
  struct termios mode;
  tcgetattr(terminal, &mode);
  mode.c_oflag &= ~(tcflag_t)OPOST; /* newlines as they are */
  tcsetattr(terminal, TCSANOW, &mode);
  setenv("TERM", "xterm", 1);
  listen(speak_progress, terminal, leader);
  CU_ASSERT_STRING_EQUAL(text, "\r\033[K\033[?7lstep 1\033[?7h\r\033[K\033[?7lstep 2\033[?7h\nsaved\n\r\033[K\033[?7lstep 3\033[?7h\n");
  setenv("TERM", "dumb", 1);
  listen(speak_progress, terminal, leader);
  CU_ASSERT_STRING_EQUAL(text, "step 1\nstep 2\nsaved\nstep 3\n");
  close(terminal);
  close(leader);
}

HEED_TESTS({"rank 0 speaks for all", rank_0_speaks_for_all}, {"quiet keeps warnings", quiet_keeps_warnings},
           {"errors are named so", errors_are_named_so}, {"long messages are cut", long_messages_are_cut},
           {"a message is one plain line", a_message_is_one_plain_line}, {"draws on a terminal", draws_on_a_terminal})
