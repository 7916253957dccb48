/** What a person sees while a run trains: a live bar on a terminal, plain lines elsewhere. */
#ifndef HEED_TRAIN_PROGRESS_H
#define HEED_TRAIN_PROGRESS_H

#include <stddef.h>

#include "report/metrics.h"

typedef struct heed_progress_bar {
  int64_t first_step, steps;
  double begun, drawn;      /* heed_seconds */
  heed_metrics_record last; /* newest numbers; loss is NaN before the first */
} heed_progress_bar;

void heed_progress_begin(heed_progress_bar *bar, int64_t step, int64_t steps);

/** New numbers: moves the bar, or prints a plain line. */
void heed_progress_line(heed_progress_bar *bar, const heed_metrics_record *record);

/** Another step is made: moves the bar on a terminal.  It is drawn at most ten times a second, and at the last step. */
void heed_progress_tick(heed_progress_bar *bar, int64_t step);

/** The bar at `step`, `now` seconds (of heed_seconds), as fits a terminal of so many columns: what matters least is left out first,
 *  tokens/s, then the bar itself, then time left. */
void heed_progress_format_bar(char *text, size_t bytes, const heed_progress_bar *bar, int64_t step, double now, int columns);

/** The plain line of the newest numbers. */
void heed_progress_format_line(char *text, size_t bytes, const heed_progress_bar *bar, double now);

#endif
