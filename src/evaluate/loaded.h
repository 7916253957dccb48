/** A checkpoint taken apart: its numbers, configuration, tokenizer and, once a model is planned, its weights. */
#ifndef HEED_EVALUATE_LOADED_H
#define HEED_EVALUATE_LOADED_H

#include "heed/checkpoint.h"
#include "heed/config.h"
#include "heed/tokenizer.h"
#include "models/model.h"

typedef struct heed_loaded {
  char *folder; /**< of the checkpoint */
  heed_checkpoint_info info;
  heed_config config;
  heed_tokenizer *tokenizer;
  const heed_kernels *kernels;
  heed_model *model;
  float *parameters;
} heed_loaded;

/** Reads all but the weights of a checkpoint (its folder, or a run folder: the newest good one).  Rank 0 reads, the others receive.
 *  Collective.  On failure too, `loaded` is to be freed.
 *  Errors: HEED_INVALID for no good checkpoint or one that does not fit itself; HEED_IO; HEED_FAILED when memory is short. */
heed_status heed_loaded_open(heed_loaded *loaded, const char *checkpoint, heed_communication *communication);

/** Plans a model for `sizes` and reads the weights into it.  Collective; once.
 *  Errors: HEED_FAILED when memory is short; HEED_INVALID, HEED_IO: heed_checkpoint_load. */
heed_status heed_loaded_weights(heed_loaded *loaded, const heed_model_sizes *sizes, heed_communication *communication);

void heed_loaded_free(heed_loaded *loaded);

#endif
