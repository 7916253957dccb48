/** metrics.jsonl: what happened, a JSON object a line.
 *
 *  A logged step: step, loss, learning_rate, grad_norm, tokens, tokens_per_second, seconds.
 *  An evaluation: step, validation_loss, validation_accuracy.  Numbers that are not finite stand as null. */
#ifndef HEED_TRAIN_METRICS_H
#define HEED_TRAIN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/status.h"

typedef struct heed_metrics heed_metrics;

typedef struct heed_metrics_record {
  int64_t step;
  double loss, learning_rate, gradient_norm; /**< means since the last record; the rate is the last step's */
  int64_t tokens;                            /**< since the last record */
  double tokens_per_second;
  double seconds; /**< since the program began to train */
} heed_metrics_record;

/** Opens the file for appending.  Lines of steps after `step` are cut away (a run resumed there makes them anew), and so are a last line
 *  that a kill left unfinished and lines that are no record: the file is replaced at once by one without them.  Errors: HEED_IO;
 *  HEED_INVALID for a pipe or device. */
heed_status heed_metrics_open(heed_metrics **metrics, const char *path, int64_t step);
void heed_metrics_close(heed_metrics *metrics);

/** Each appends one line with one write.  Rates, losses and accuracies read back to the same bits; times are rounded to thousandths.
 *  Errors: HEED_IO, and then nothing of the line stays in the file. */
heed_status heed_metrics_step(heed_metrics *metrics, const heed_metrics_record *record);
heed_status heed_metrics_evaluation(heed_metrics *metrics, int64_t step, double loss, double accuracy);

/** One line read back: a step's or an evaluation's numbers, NaN where the line has none. */
typedef struct heed_metrics_line {
  int64_t step;
  double loss, learning_rate, gradient_norm, tokens_per_second, validation_loss, validation_accuracy;
} heed_metrics_line;

/** Reads a whole file; lines that are not understood or not finished are passed over, and a file that is not there has none.
 *  \param[out] lines  allocated, freed by the caller; \param[out] count  their number */
heed_status heed_metrics_read(const char *path, heed_metrics_line **lines, int64_t *count);

#endif
