/** Batches that come from nowhere: rows of lengths that are told, the same work as real ones and no file. */
#ifndef HEED_MEASURE_SYNTHETIC_H
#define HEED_MEASURE_SYNTHETIC_H

#include "heed/batch.h"
#include "heed/config.h"
#include "train/step.h"

/** How long rows are: row r of the global batch has values[r mod count] tokens; all are full when count is 0. */
typedef struct heed_lengths {
  const int64_t *values; /**< [count] */
  int64_t count;
} heed_lengths;

typedef struct heed_synthetic {
  heed_batch *batches; /**< [passes] those of one step */
  int64_t passes, next;
} heed_synthetic;

/** Targets of a row of `length` tokens: masked tokens as a fixed count takes them, or all tokens. */
int64_t heed_synthetic_targets(const heed_config *config, int64_t length);

/** The passes of one step of this rank: random tokens and evenly spread masks, drawn from run.seed; the content of a row of the global
 *  batch depends on no rank and no pass.
 *  Errors: HEED_INVALID for a length that is not 1 … train.sequence_length; HEED_FAILED when memory is short. */
heed_status heed_synthetic_create(heed_synthetic *synthetic, const heed_config *config, heed_lengths lengths, const heed_stepper *stepper);
void heed_synthetic_free(heed_synthetic *synthetic);

/** For heed_batch_source: the rank's next pass.  Tokens stay the same; the data position goes on, so dropout is drawn anew. */
const heed_batch *heed_synthetic_next(void *synthetic);

#endif
