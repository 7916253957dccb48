/** Batches that come from nowhere: every row full, the same work as real ones and no file. */
#ifndef HEED_MEASURE_SYNTHETIC_H
#define HEED_MEASURE_SYNTHETIC_H

#include "heed/batch.h"
#include "heed/config.h"
#include "train/step.h"

typedef struct heed_synthetic {
  heed_batch batch;
  int64_t first_row, rows_end; /**< rows of the global batch that this rank computes */
} heed_synthetic;

/** Targets of a full row: masked tokens as a fixed count takes them, or all tokens. */
int64_t heed_synthetic_targets(const heed_config *config);

/** One pass of the stepper: random tokens and evenly spread masks, drawn from run.seed. */
heed_status heed_synthetic_create(heed_synthetic *synthetic, const heed_config *config, const heed_stepper *stepper);
void heed_synthetic_free(heed_synthetic *synthetic);

/** For heed_batch_source: the rank's next pass.  Tokens stay the same; rows and data position go on, so dropout is drawn anew. */
const heed_batch *heed_synthetic_next(void *synthetic);

#endif
