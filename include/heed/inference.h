/** A trained model in use: filling masks and embedding text, from one checkpoint alone.  Rank-local; no MPI. */
#ifndef HEED_INFERENCE_H
#define HEED_INFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/status.h"
#include "heed/tokenizer.h"

/** Used by one thread at a time; its own work runs on OpenMP's threads, of which there may be no more than when it was opened. */
typedef struct heed_inference heed_inference;

/** Loads a checkpoint (its folder, or a run folder: the newest good checkpoint).
 *  Errors: HEED_INVALID for a path without a good checkpoint; HEED_IO for a failed read; HEED_FAILED when memory is short. */
heed_status heed_inference_open(heed_inference **inference, const char *checkpoint);
void heed_inference_free(heed_inference *inference);

typedef struct heed_prediction {
  int32_t id;
  double probability; /**< softmax over the whole vocabulary */
} heed_prediction;

/** Predicts each [MASK] of the text.
 *  \param[out] predictions  [masks][top], likeliest first; allocated, freed by the caller
 *  \param[out] masks  number of masks
 *  Errors: HEED_INVALID for a model that predicts next tokens, a text without a mask or longer than the model's positions, `top` outside
 *  the vocabulary, or weights that give numbers that are not finite; HEED_FAILED when memory is short. */
heed_status heed_inference_fill(heed_inference *inference, const char *text, int64_t top, heed_prediction **predictions, int64_t *masks);

typedef enum heed_pooling { HEED_POOL_MEAN, HEED_POOL_CLS } heed_pooling;

/** The embedding of a text: hidden states of the last layer, averaged over all its tokens ([CLS] and [SEP] included) or at [CLS].
 *  A text longer than the model's positions is cut at its end.
 *  \param[out] embedding  [heed_inference_width]; \param[out] cut  whether it was cut (may be NULL)
 *  Errors: HEED_INVALID for CLS of a model that predicts next tokens, or weights that give numbers that are not finite; HEED_FAILED when
 *  memory is short. */
heed_status heed_inference_embed(heed_inference *inference, const char *text, heed_pooling pooling, float *embedding, bool *cut);

int64_t heed_inference_width(const heed_inference *inference);                   /**< floats of an embedding: C */
int64_t heed_inference_step(const heed_inference *inference);                    /**< steps that the checkpoint was trained for */
const heed_tokenizer *heed_inference_tokenizer(const heed_inference *inference); /**< the checkpoint's; borrowed */

#endif
