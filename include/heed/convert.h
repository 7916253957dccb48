/** Models from and for Hugging Face transformers: model.safetensors, config.json, the vocabulary, tokenizer_config.json, tokenizer.json.
 *  Its classes are BERT, GPT-2 and ModernBERT. */
#ifndef HEED_CONVERT_H
#define HEED_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/status.h"

typedef enum heed_casing { HEED_CASING_UNSAID, HEED_UNCASED, HEED_CASED } heed_casing;

/** What to import.  Paths that are NULL are looked for beside the weights, under the names that transformers gives them. */
typedef struct heed_import_spec {
  const char *weights;         /**< a safetensors file, or the folder that holds model.safetensors */
  const char *model_config;    /**< config.json */
  const char *vocabulary;      /**< vocab.txt, or a folder with vocab.json and merges.txt */
  heed_casing casing;          /**< UNSAID: as tokenizer_config.json beside the vocabulary says, uncased where there is none */
  const char *output;          /**< the checkpoint folder to write; it must not be there yet */
  const char *const *settings; /**< "KEY=VALUE" of the configuration that the checkpoint will hold */
  int setting_count;
} heed_import_spec;

/** What an import did. */
typedef struct heed_import_report {
  int64_t tensors, parameters;  /**< taken from the file */
  char *initialised;            /**< names of the head's tensors that the file lacks, separated by ", "; empty: none */
  char *left_out;               /**< names of the file's tensors that the model has no place for, likewise */
  int64_t vocabulary_filled_up; /**< rows of the embedding that the vocabulary has no token for: named [padding-N] */
  bool cased;
} heed_import_report;

/** Makes a checkpoint (step 0, weights only) of a model that transformers saved.  The file's names may be old ones (gamma, beta) and
 *  may lack the body's prefix (bert., transformer., model.).  A head that the file lacks is initialised as training would; a body that is
 * not whole is refused. The next-sentence head and pooler are taken when the file has both, or when objective.next_sentence is set.
 * Rank-local. \param[out] report  to be freed with heed_import_report_free. Errors: HEED_INVALID for files that are missing, unsound or do
 * not fit each other, or ask for what is not built; HEED_IO; HEED_FAILED.
 */
heed_status heed_import(const heed_import_spec *spec, heed_import_report *report);
void heed_import_report_free(heed_import_report *report);

/** Writes the folder `output` (which must not be there yet, or be empty) with model.safetensors, config.json, the vocabulary's files and
 *  tokenizer_config.json and tokenizer.json, from a checkpoint or a run's newest good one.  transformers loads it as BertForMaskedLM
 *  (BertForPreTraining when the model was trained on next sentences), GPT2LMHeadModel or ModernBertForMaskedLM.  Weights keep their bits.
 *  It appears whole or not at all.  Rank-local.  Errors: HEED_INVALID, also for options that none of these classes has; HEED_IO,
 *  HEED_FAILED. */
heed_status heed_export(const char *checkpoint, const char *output);

#endif
