#include "train/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "heed/log.h"

void heed_progress_begin(heed_progress_bar *bar, int64_t step, int64_t steps) {
  *bar = (heed_progress_bar){.first_step = step, .steps = steps, .begun = heed_seconds()};
  bar->last.step = step;
  bar->last.loss = NAN;
}

/* Time left at the mean pace since this start, as 1h02m, 3m20s or 15s. */
static const char *time_left(const heed_progress_bar *bar, int64_t step, char text[32]) {
  double made = (double)(step - bar->first_step), left = 0;
  if (made > 0)
    left = (heed_seconds() - bar->begun) / made * (double)(bar->steps - step);
  long seconds = lround(left);
  if (seconds >= 3600)
    snprintf(text, 32, "%ldh%02ldm", seconds / 3600, seconds / 60 % 60);
  else if (seconds >= 60)
    snprintf(text, 32, "%ldm%02lds", seconds / 60, seconds % 60);
  else
    snprintf(text, 32, "%lds", seconds);
  return text;
}

/* 12345 as 12,345. */
static const char *with_commas(double value, char text[32]) {
  char digits[24];
  int length = snprintf(digits, sizeof digits, "%.0f", value < 1e15 ? value : 0), at = 0;
  for (int i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0)
      text[at++] = ',';
    text[at++] = digits[i];
  }
  text[at] = 0;
  return text;
}

static void draw(heed_progress_bar *bar, int64_t step) {
  enum { CELLS = 24 };
  char cells[3 * CELLS + 1] = "", left[32], rate[32];
  int full = bar->steps > 0 ? (int)(CELLS * step / bar->steps) : 0;
  for (int i = 0; i < CELLS; i++)
    strcat(cells, i < full ? "█" : "░");
  heed_progress("%s %3d%%  step %lld/%lld  loss %.4f  %s tokens/s  left %s", cells, (int)(bar->steps ? 100 * step / bar->steps : 0),
                (long long)step, (long long)bar->steps, bar->last.loss, with_commas(bar->last.tokens_per_second, rate),
                time_left(bar, step, left));
  bar->drawn = heed_seconds();
}

void heed_progress_line(heed_progress_bar *bar, const heed_metrics_record *record) {
  char left[32], rate[32];
  bar->last = *record;
  if (heed_log_is_terminal())
    draw(bar, record->step);
  else
    heed_progress("step %lld/%lld  loss %.4f  lr %.2e  grad %.2f  %s tokens/s  left %s", (long long)record->step, (long long)bar->steps,
                  record->loss, record->learning_rate, record->gradient_norm, with_commas(record->tokens_per_second, rate),
                  time_left(bar, record->step, left));
}

void heed_progress_tick(heed_progress_bar *bar, int64_t step) {
  if (isfinite(bar->last.loss) && heed_log_is_terminal() && heed_seconds() - bar->drawn >= 0.1)
    draw(bar, step);
}
