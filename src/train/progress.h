/** What a person sees while a run trains: a live bar on a terminal, plain lines elsewhere. */
#ifndef HEED_TRAIN_PROGRESS_H
#define HEED_TRAIN_PROGRESS_H

#include "train/metrics.h"

typedef struct heed_progress_bar {
  int64_t first_step, steps;
  double begun, drawn;      /* heed_seconds */
  heed_metrics_record last; /* newest numbers */
} heed_progress_bar;

void heed_progress_begin(heed_progress_bar *bar, int64_t step, int64_t steps);

/** New numbers: redraws the bar, or prints a plain line. */
void heed_progress_line(heed_progress_bar *bar, const heed_metrics_record *record);

/** Another step is made: moves the bar on a terminal, at most ten times a second. */
void heed_progress_tick(heed_progress_bar *bar, int64_t step);

#endif
