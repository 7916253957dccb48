#include "train/progress.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "heed/log.h"

enum { MOST_CELLS = 40, FEWEST_CELLS = 10 };
static const double least_pause = 0.1; /* seconds between two drawings */

void heed_progress_begin(heed_progress_bar *bar, int64_t step, int64_t steps) {
  *bar = (heed_progress_bar){.first_step = step, .steps = steps, .begun = heed_seconds()};
  bar->last.step = step;
  bar->last.loss = NAN;
}

/* "  left 3m20s" at the mean pace since this start; "" before the first step. */
static void print_left(char text[32], const heed_progress_bar *bar, int64_t step, double now) {
  double made = (double)(step - bar->first_step);
  text[0] = 0;
  if (made <= 0)
    return;
  long long seconds = llround(fmin((now - bar->begun) / made * fmax((double)(bar->steps - step), 0), 1e12));
  if (seconds >= 48 * 3600)
    snprintf(text, 32, "  left %lldd%02lldh", seconds / 86400, seconds / 3600 % 24);
  else if (seconds >= 3600)
    snprintf(text, 32, "  left %lldh%02lldm", seconds / 3600, seconds / 60 % 60);
  else if (seconds >= 60)
    snprintf(text, 32, "  left %lldm%02llds", seconds / 60, seconds % 60);
  else
    snprintf(text, 32, "  left %llds", seconds);
}

/* "  12,345 tokens/s"; "" while it is not known. */
static void print_rate(char text[48], double rate) {
  char digits[32];
  text[0] = 0;
  if (!(rate > 0 && rate < 1e15))
    return;
  int length = snprintf(digits, sizeof digits, "%.0f", rate), at = 2;
  memcpy(text, "  ", 2);
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0)
      text[at++] = ',';
    text[at++] = digits[i];
  }
  snprintf(text + at, 48 - (size_t)at, " tokens/s");
}

/* A number with so many decimals; what is none is "nan" whatever its sign. */
static void print_number(char text[32], const char *format, double value) {
  if (isnan(value))
    snprintf(text, 32, "nan");
  else
    snprintf(text, 32, format, value);
}

void heed_progress_format_bar(char *text, size_t bytes, const heed_progress_bar *bar, int64_t step, double now, int columns) {
  /* A cell is filled in eighths. */
  static const char *const eighths[] = {"░", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  char percent[32], steps[96], rate[48], left[32], loss[48] = "", number[32], cells[3 * MOST_CELLS + 1] = "";
  double share = bar->steps > 0 ? fmin(fmax((double)step / (double)bar->steps, 0), 1) : 1;
  snprintf(percent, sizeof percent, "%3d%%", (int)(100 * share));
  snprintf(steps, sizeof steps, "  step %lld/%lld", (long long)step, (long long)bar->steps);
  print_rate(rate, bar->last.tokens_per_second);
  print_left(left, bar, step, now);
  if (bar->last.step > bar->first_step) {
    print_number(number, "%.4f", bar->last.loss);
    snprintf(loss, sizeof loss, "  loss %s", number);
  }

  int fixed = (int)(strlen(percent) + strlen(steps) + strlen(loss)), room = columns - 1 - fixed;
  int needed = (int)strlen(left);
  bool with_left = needed <= room;
  room -= with_left ? needed : 0;
  bool with_rate = (int)strlen(rate) + FEWEST_CELLS + 1 <= room;
  room -= with_rate ? (int)strlen(rate) : 0;
  int count = room - 1 < FEWEST_CELLS ? 0 : room - 1 > MOST_CELLS ? MOST_CELLS : room - 1;
  int filled = (int)(share * 8 * count);
  size_t used = 0;
  for (int i = 0; i < count; i++) {
    const char *cell = filled >= 8 * (i + 1) ? "█" : eighths[filled > 8 * i ? filled - 8 * i : 0];
    memcpy(cells + used, cell, 3);
    used += 3;
  }
  cells[used] = 0;
  snprintf(text, bytes, "%s%s%s%s%s%s%s", cells, count > 0 ? " " : "", percent, steps, loss, with_rate ? rate : "", with_left ? left : "");
}

void heed_progress_format_line(char *text, size_t bytes, const heed_progress_bar *bar, double now) {
  char rate[48], left[32], loss[32], gradient[32];
  const heed_metrics_record *last = &bar->last;
  print_rate(rate, last->tokens_per_second);
  print_left(left, bar, last->step, now);
  print_number(loss, "%.4f", last->loss);
  print_number(gradient, "%.2f", last->gradient_norm);
  snprintf(text, bytes, "step %lld/%lld  loss %s  lr %.2e  grad %s%s%s", (long long)last->step, (long long)bar->steps, loss,
           last->learning_rate, gradient, rate, left);
}

void heed_progress_line(heed_progress_bar *bar, const heed_metrics_record *record) {
  char text[512];
  bar->last = *record;
  if (heed_log_is_terminal()) {
    heed_progress_tick(bar, record->step);
  } else {
    heed_progress_format_line(text, sizeof text, bar, heed_seconds());
    heed_progress("%s", text);
  }
}

void heed_progress_tick(heed_progress_bar *bar, int64_t step) {
  char text[512];
  double now = heed_seconds();
  if ((now - bar->drawn < least_pause && step < bar->steps) || !heed_log_is_terminal())
    return;
  heed_progress_format_bar(text, sizeof text, bar, step, now, heed_log_columns());
  heed_progress("%s", text);
  bar->drawn = now;
}
