/** The arithmetic of training, counted from the shapes alone. */
#ifndef HEED_MEASURE_FLOPS_H
#define HEED_MEASURE_FLOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/batch.h"
#include "heed/config.h"

/** What goes through the model. */
typedef struct heed_work {
  int64_t sequences; /**< B */
  int64_t tokens;    /**< Σ sᵢ, of their lengths */
  int64_t pairs;     /**< of a query and a key that it sees, of all layers: L · Σ sᵢ² where all see all */
  int64_t targets;   /**< M, masked positions */
} heed_work;

/** Adds a batch that goes through this model. */
void heed_work_add(heed_work *work, const heed_model_config *model, const heed_batch *batch);

/** Floating-point operations of forward and backward, backward counted as twice forward, recomputation not counted:
 *
 *      3 · [ L · Σ sᵢ (8C² + 4CF) + 4C · pairs + M (2C² + 2CV) + B · 2C² ]
 *
 *  Of causal attention and of windows only what is seen counts (about half of all pairs when causal).  A gated feed-forward has 6CF; the
 *  head's 2C² is for families whose head transforms; the last term is the pooler's (next-sentence prediction).  Products alone: the rest
 *  is of a lower order. */
double heed_training_flops(const heed_model_config *model, const heed_work *work, bool pooler);

#endif
