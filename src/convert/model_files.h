/** The files of a model of transformers, as a user names them: a folder, its weights, or each by itself. */
#ifndef HEED_CONVERT_MODEL_FILES_H
#define HEED_CONVERT_MODEL_FILES_H

#include "heed/convert.h"

/** Paths, allocated.  Only that of the weights is known to be there. */
typedef struct heed_model_files {
  char *folder;     /**< that of the weights */
  char *weights;    /**< model.safetensors */
  char *config;     /**< config.json */
  char *vocabulary; /**< vocab.txt, or a folder with vocab.json and merges.txt */
  char *casing;     /**< tokenizer_config.json beside the vocabulary */
} heed_model_files;

/** Finds them: what the specification names, the others beside the weights.  To be freed after an error too.
 *  Errors: HEED_INVALID where there are no weights, with what to do about what is there in their place; HEED_FAILED when memory is short.
 */
heed_status heed_model_files_find(heed_model_files *files, const heed_import_spec *spec);
void heed_model_files_free(heed_model_files *files);

#endif
