/** metrics.jsonl: what happened, a JSON object a line.
 *
 *  A logged step: step, loss, learning_rate, grad_norm, tokens, skipped, spikes, rollbacks, tokens_per_second, seconds; timeline: seconds
 * of a step on rank 0 in forward and backward (passes), in sums of activations over the ranks that share a layer (shares), waiting for the
 * sums of gradients (wait), in the optimizer (update), copying parameters to all (gather). An evaluation: step, validation_loss,
 * validation_accuracy; bits_per_byte where it is known; head_entropy where attention was looked at: a list a layer, in it a number a head.
 * Numbers that are not finite stand as null.
 *
 *  A run keeps its lines in memory too: pictures and pages of a long run are made in milliseconds, without reading it again. */
#ifndef HEED_REPORT_METRICS_H
#define HEED_REPORT_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/status.h"

typedef struct heed_metrics heed_metrics;

typedef struct heed_metrics_record {
  int64_t step;
  double loss, learning_rate, gradient_norm; /**< means since the last record; the rate is the last step's */
  int64_t tokens;                            /**< since the last record */
  int64_t skipped, spikes, rollbacks;        /**< since the last record: updates not made, losses that leapt, returns to a checkpoint */
  double tokens_per_second;
  double seconds;                              /**< since the program began to train */
  double passes, shares, wait, update, gather; /**< of a step, means since the last record */
} heed_metrics_record;

typedef struct heed_metrics_evaluation_record {
  int64_t step;
  double loss, accuracy;
  double bits_per_byte;       /**< NaN: none */
  const double *head_entropy; /**< [layers][heads], nats, means over the queries; NULL: none */
  int64_t layers, heads;
} heed_metrics_evaluation_record;

/** One line read back: a step's or an evaluation's numbers, NaN where the line has none. */
typedef struct heed_metrics_line {
  int64_t step;
  bool evaluation; /**< whether it is one, or a logged step */
  double loss, learning_rate, gradient_norm, tokens_per_second, seconds;
  int64_t tokens; /**< 0 where the line has none */
  double validation_loss, validation_accuracy, bits_per_byte;
  double *head_entropy; /**< [layers][heads]; NULL: none */
  int64_t layers, heads;
} heed_metrics_line;

/** The lines of a file, in their order. */
typedef struct heed_metrics_history {
  heed_metrics_line *lines;
  int64_t count, capacity;
} heed_metrics_history;

/** Opens the file for appending.  Lines of steps after `step` are cut away (a run resumed there makes them anew), and so are a last line
 *  that a kill left unfinished and lines that are no record: the file is replaced at once by one without them.  Errors: HEED_IO;
 *  HEED_INVALID for a pipe or device. */
heed_status heed_metrics_open(heed_metrics **metrics, const char *path, int64_t step);
void heed_metrics_close(heed_metrics *metrics);

/** Each appends one line with one write.  Rates, losses, accuracies and entropies read back to the same bits; times are rounded to
 *  thousandths.  Errors: HEED_IO, and then nothing of the line stays in the file. */
heed_status heed_metrics_step(heed_metrics *metrics, const heed_metrics_record *record);
heed_status heed_metrics_evaluation(heed_metrics *metrics, const heed_metrics_evaluation_record *record);

/** All that the file holds; it grows with it. */
const heed_metrics_history *heed_metrics_so_far(const heed_metrics *metrics);

/** Seconds of training, over all starts of the program: those of the lines begin anew at each. */
typedef struct heed_training_time {
  double before, latest; /**< seconds of earlier starts, and of the present one */
} heed_training_time;

/** The time at a line; called for every line in their order, from {0} on. */
double heed_training_time_at(heed_training_time *time, const heed_metrics_line *line);

/** Reads a whole file; lines that are not understood or not finished are passed over, and a file that is not there has none.
 *  \param[out] history  to be freed also on failure */
heed_status heed_metrics_read(const char *path, heed_metrics_history *history);
void heed_metrics_history_free(heed_metrics_history *history);

#endif
