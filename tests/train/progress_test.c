#include "train/progress.h"

#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heed/log.h"
#include "test.h"

static char text[65536];

/* 120 of 2,000 steps made in 12 seconds from step 0. */
static heed_progress_bar example(void) {
  return (heed_progress_bar){
      .steps = 2000,
      .begun = 100,
      .last = {.step = 120, .loss = 6.12341, .learning_rate = 4.8e-4, .gradient_norm = 1.02, .tokens = 10, .tokens_per_second = 12345.4}};
}

static void plain_lines_say_all(void) {
  heed_progress_bar bar = example();
  heed_progress_format_line(text, sizeof text, &bar, 112);
  CU_ASSERT_STRING_EQUAL(text, "step 120/2000  loss 6.1234  lr 4.80e-04  grad 1.02  12,345 tokens/s  left 3m08s");
  bar.last.loss = -NAN;
  bar.last.gradient_norm = INFINITY;
  bar.last.tokens_per_second = 0;
  heed_progress_format_line(text, sizeof text, &bar, 112);
  CU_ASSERT_STRING_EQUAL(text, "step 120/2000  loss nan  lr 4.80e-04  grad inf  left 3m08s");
}

static void left_at(double seconds_a_step, const char *expected) {
  heed_progress_bar bar = {.first_step = 1000, .steps = 2000, .begun = 0, .last = {.step = 1500}};
  heed_progress_format_line(text, sizeof text, &bar, 500 * seconds_a_step);
  const char *left = strstr(text, "  left ");
  CU_ASSERT_PTR_NOT_NULL_FATAL(left);
  CU_ASSERT_STRING_EQUAL(left + 7, expected);
}

/* 500 steps are made since this start, which was at step 1,000, and 500 are to come. */
static void time_left_is_at_the_pace_since_the_start(void) {
  left_at(0.01, "5s");
  left_at(0.119, "1m00s"); /* 59.5 s */
  left_at(0.12, "1m00s");
  left_at(7.1, "59m10s");
  left_at(7.2, "1h00m");
  left_at(300, "41h40m");
  left_at(864, "5d00h");
  heed_progress_bar bar = {.first_step = 5, .steps = 20, .last = {.step = 5, .loss = NAN}};
  heed_progress_format_line(text, sizeof text, &bar, 10);
  CU_ASSERT_PTR_NULL(strstr(text, "left")); /* nothing made: nothing known */
}

/* Characters, not bytes. */
static int width_of(const char *line) {
  int width = 0;
  for (; *line; line++)
    width += ((unsigned char)*line & 0xC0) != 0x80;
  return width;
}

static void bars_fit_any_terminal(void) {
  heed_progress_bar bar = example();
  for (int columns = 1; columns <= 300; columns++) {
    heed_progress_format_bar(text, sizeof text, &bar, 120, 112, columns);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "  6%  step 120/2000  loss 6.1234"));
    if (columns > 33)
      CU_ASSERT(width_of(text) < columns);
    CU_ASSERT(columns < 45 || strstr(text, "  left 3m08s"));
    CU_ASSERT(columns < 80 || (strstr(text, "12,345 tokens/s") && strstr(text, "░░░░░░")));
  }
  CU_ASSERT(width_of(text) < 120); /* a wide terminal does not stretch it */
}

/* Full and empty cells at both ends, and eighths between. */
static void bars_fill_up(void) {
  heed_progress_bar bar = {.steps = 400, .begun = 0, .last = {.loss = NAN}};
  heed_progress_format_bar(text, sizeof text, &bar, 0, 0, 200);
  CU_ASSERT_PTR_NULL(strstr(text, "█"));
  CU_ASSERT_PTR_NULL(strstr(text, "loss")); /* not known yet */
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "░   0%  step 0/400"));
  heed_progress_format_bar(text, sizeof text, &bar, 105, 10, 200);
  CU_ASSERT_EQUAL(strncmp(text, "██████████▌░", strlen("██████████▌░")), 0); /* 40 cells: 10.5 */
  heed_progress_format_bar(text, sizeof text, &bar, 399, 10, 200);
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "█▉  99%"));
  heed_progress_format_bar(text, sizeof text, &bar, 400, 10, 200);
  CU_ASSERT_PTR_NULL(strstr(text, "░"));
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "█ 100%  step 400/400  left 0s"));
}

/* 2,000 steps without a pause, a logged step every 10. */
static void train(void) {
  heed_progress_bar bar;
  heed_progress_begin(&bar, 0, 2000);
  for (int64_t step = 1; step <= 2000; step++) {
    heed_metrics_record record = {.step = step, .loss = 3, .tokens_per_second = 9000};
    if (step % 10 == 0)
      heed_progress_line(&bar, &record);
    else
      heed_progress_tick(&bar, step);
  }
  heed_progress_end();
}

/* What `train` writes on standard error when that is `to`. */
static void listen(int to, int from) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(to, STDERR_FILENO);
    train();
    _exit(0);
  }
  size_t used = 0;
  struct pollfd ready = {.fd = from, .events = POLLIN};
  while (used < sizeof text - 1 && poll(&ready, 1, 300) > 0) {
    ssize_t got = read(from, text + used, sizeof text - 1 - used);
    if (got <= 0)
      break;
    used += (size_t)got;
  }
  text[used] = 0;
  waitpid(pid, NULL, 0);
}

static int count_of(const char *what) {
  int count = 0;
  for (const char *at = strstr(text, what); at; at = strstr(at + 1, what))
    count++;
  return count;
}

static void draws_seldom_on_a_terminal(void) {
  int leader = posix_openpt(O_RDWR | O_NOCTTY);
  CU_ASSERT_FATAL(leader >= 0 && grantpt(leader) == 0 && unlockpt(leader) == 0);
  int terminal = open(ptsname(leader), O_RDWR | O_NOCTTY);
  CU_ASSERT_FATAL(terminal >= 0);
  struct winsize size = {.ws_row = 24, .ws_col = 60};
  CU_ASSERT_EQUAL(ioctl(terminal, TIOCSWINSZ, &size), 0);
  setenv("TERM", "xterm", 1);
  listen(terminal, leader);
  CU_ASSERT(count_of("\r\033[K") >= 2 && count_of("\r\033[K") < 20);
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "█ 100%  step 2000/2000  loss 3.0000")); /* the end is always shown */
  CU_ASSERT_PTR_NULL(strstr(text, "tokens/s"));                                /* does not fit in 60 columns */
  close(terminal);
  close(leader);
}

static void prints_a_line_a_logged_step_elsewhere(void) {
  int ends[2];
  CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_NONBLOCK), 0);
  listen(ends[1], ends[0]);
  CU_ASSERT_EQUAL(count_of("\n"), 200);
  CU_ASSERT_EQUAL(count_of("\r"), 0);
  CU_ASSERT_EQUAL(strncmp(text, "step 10/2000  loss 3.0000", 25), 0);
  close(ends[0]);
  close(ends[1]);
}

HEED_TESTS({"plain lines say all", plain_lines_say_all},
           {"time left is at the pace since the start", time_left_is_at_the_pace_since_the_start},
           {"bars fit any terminal", bars_fit_any_terminal}, {"bars fill up", bars_fill_up},
           {"draws seldom on a terminal", draws_seldom_on_a_terminal},
           {"prints a line a logged step elsewhere", prints_a_line_a_logged_step_elsewhere})
