/** Input embedding: word + position + segment, normalised or not, with dropout (Devlin et al. 2019, fig. 2; Radford et al. 2019).
 *
 *  A position is a trained row, a fixed wave (positions.h), or nothing (rotary positions turn queries and keys instead). */
#ifndef HEED_LAYERS_EMBEDDING_H
#define HEED_LAYERS_EMBEDDING_H

#include "heed/config.h"
#include "layers/layer_norm.h"

/** A trained table; rows 0: there is none.  With tensor parallelism that of words is split by rows. */
typedef struct heed_embedding_table {
  int64_t first, rows; /**< ids [first, first + rows) are here */
  int64_t at;          /**< offset in the flat block, [rows, C]; −1 without rows */
} heed_embedding_table;

enum { HEED_EMBED_WORDS, HEED_EMBED_POSITIONS, HEED_EMBED_TYPES, HEED_EMBED_TABLES };

typedef struct heed_embedding {
  int64_t width;
  heed_embedding_table tables[HEED_EMBED_TABLES];
  int64_t words_index; /**< place of the word table in the parameter table, for a decoder tied to it */
  size_t waves;        /**< fixed positions, [max_positions, C] */
  bool has_waves, has_norm;
  bool split;                         /**< whether words are */
  size_t gathered, gathered_elements; /**< split, shared: [T, C] the words' rows, as floats and as elements */
  size_t words;                       /**< split, shared: int32_t [T] their places there, in backward in the part's table */
  heed_layer_norm norm;
  double dropout;
  uint32_t site;
  size_t sum, out; /**< saved: [T, C] each; without a norm they are one */
  size_t elements; /**< out as elements */
  size_t order;    /**< backward's, shared: int32_t [HEED_EMBED_TABLES][T], tokens sorted by word, position and segment */
} heed_embedding;

/** What it is planned from: whole names, and the deviations of the initial weights. */
typedef struct heed_embedding_spec {
  const heed_model_config *config;
  const char *const *tables; /**< [HEED_EMBED_TABLES] */
  const char *norm;
  double position_deviation;
} heed_embedding_spec;

heed_status heed_embedding_plan(heed_embedding *embedding, heed_plan *plan, const heed_embedding_spec *spec);

/** Computes the output [T, C], which stays in the layer's own buffers and is returned.  Opens its parallel region. */
heed_hidden heed_embedding_forward(const heed_context *context, const heed_embedding *embedding);

/** The output of the last forward. */
heed_hidden heed_embedding_output(const heed_context *context, const heed_embedding *embedding);

/** `gradient` [T, C] of the output; used up.  Opens its parallel region. */
void heed_embedding_backward(const heed_context *context, float *gradient, const heed_embedding *embedding);

#endif
