/** Input embedding: word + position + segment, summed, normalised, with dropout (Devlin et al. 2019, fig. 2). */
#ifndef HEED_LAYERS_EMBEDDING_H
#define HEED_LAYERS_EMBEDDING_H

#include "heed/config.h"
#include "layers/layer_norm.h"

typedef struct heed_embedding {
  int64_t vocabulary_size, max_positions, token_types, width;
  int64_t words, positions, types; /**< offsets in the flat block, [V, C], [max_positions, C], [token_types, C] */
  int64_t words_index;             /**< place of the word table in the parameter table, for a decoder tied to it */
  heed_layer_norm norm;
  double dropout;
  uint32_t site;
  size_t sum, out; /**< saved: [T, C] each */
  size_t order;    /**< backward's, shared: int32_t [3][T], tokens sorted by word, position and segment */
} heed_embedding;

/** `prefix` begins the names: PREFIXword_embeddings.weight, … */
heed_status heed_embedding_plan(heed_embedding *embedding, heed_plan *plan, const heed_model_config *config, const char *prefix);

/** Computes the output [T, C], which stays in the layer's own buffer and is returned.  Opens its parallel region. */
const float *heed_embedding_forward(const heed_context *context, const heed_embedding *embedding);

/** `gradient` [T, C] of the output; used up.  Opens its parallel region. */
void heed_embedding_backward(const heed_context *context, float *gradient, const heed_embedding *embedding);

#endif
