/** The families of models, as rows of one table: what a block is made of and what its parameters are called. */
#ifndef HEED_MODELS_FAMILY_H
#define HEED_MODELS_FAMILY_H

#include "layers/body.h"

enum { HEED_MAX_SUBLAYERS = 3 };

/** One sublayer of a block. */
typedef struct heed_sublayer_row {
  const heed_body_operations *body;
  const char *norm; /**< name of its layer norm, below the block's */
} heed_sublayer_row;

typedef struct heed_family {
  const char *name;       /**< model.family in the configuration */
  const char *prefix;     /**< begins the names of the body, which files of a bare body leave out */
  const char *embeddings; /**< prefix of the embedding's parameters */
  const char *block;      /**< prefix of a block's parameters, with the number of the block as %d */
  const char *pooler;
  heed_sublayer_row sublayers[HEED_MAX_SUBLAYERS];
  int sublayer_count;
} heed_family;

/** The row of that name.  Errors: HEED_INVALID naming the families there are. */
heed_status heed_family_find(const heed_family **family, const char *name);

#endif
