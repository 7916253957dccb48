/** Watches what steps tell: updates that are skipped, and losses that leap. */
#ifndef HEED_TRAIN_GUARD_H
#define HEED_TRAIN_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/config.h"

/** Zeros: nothing seen yet. */
typedef struct heed_guard {
  int64_t skipped;       /**< updates skipped in a row */
  int64_t rollbacks;     /**< in a row: since the last update that was made */
  int64_t seen;          /**< losses of updates that were made */
  double mean, variance; /**< of these, the older the lighter */
} heed_guard;

typedef enum heed_step_verdict {
  HEED_STEP_GOOD,
  HEED_STEP_LEAPT,     /**< the loss lies guard.spike deviations or more above those before */
  HEED_STEP_SKIPPED,   /**< loss or gradient was not finite: no update */
  HEED_STEP_ROLLS_BACK /**< likewise, and guard.skips such in a row: the weights are to be those of the last checkpoint again */
} heed_step_verdict;

/** Judges a step.  The same on all ranks, as loss and `skipped` are.  Pure but for `guard`. */
heed_step_verdict heed_guard_judge(heed_guard *guard, const heed_guard_config *config, double loss, bool skipped);

#endif
