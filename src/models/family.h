/** The families of models, as rows of one table: what a block is made of and what its parameters are called.
 *
 *  How a family masks, places and normalises is no part of it: those are options of the configuration, whose defaults depend on the
 *  family (base/config_fields.c). */
#ifndef HEED_MODELS_FAMILY_H
#define HEED_MODELS_FAMILY_H

#include "layers/body.h"
#include "layers/embedding.h"
#include "models/token_head.h"

enum { HEED_MAX_SUBLAYERS = 3 };

/** One sublayer of a block. */
typedef struct heed_sublayer_row {
  const heed_body_operations *body;
  const char *norm;                   /**< name of its layer norm, below the block's */
  const char *names[HEED_BODY_NAMES]; /**< of its linear maps (layers/body.h) */
} heed_sublayer_row;

typedef struct heed_family {
  const char *name;                          /**< model.family in the configuration */
  const char *embeddings[HEED_EMBED_TABLES]; /**< words, positions, segments */
  const char *embedding_norm;
  const char *block; /**< prefix of a block's parameters, with the number of the block as %d */
  heed_sublayer_row sublayers[HEED_MAX_SUBLAYERS];
  int sublayer_count;
  const char *final_norm; /**< behind the last block, with model.norm: pre */
  const char *pooler;     /**< NULL: no next-sentence head */
  heed_token_head_names head;
  heed_initialisation initialisation;
  double position_share; /**< deviation of the position table, as a share of model.initializer_range */
  bool residual_scaled;  /**< whether maps into the residual stream begin 1/√(sublayers) as large (Radford et al. 2019, §2.3) */
} heed_family;

/** The row of that name.  Errors: HEED_INVALID naming the families there are. */
heed_status heed_family_find(const heed_family **family, const char *name);

#endif
