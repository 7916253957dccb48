/** The tokenizer's files in a transformers folder, beside the vocabulary itself: tokenizer_config.json, and tokenizer.json, which holds all
 *  that Hugging Face's `tokenizers` needs. */
#ifndef HEED_CONVERT_TRANSFORMERS_TOKENIZER_H
#define HEED_CONVERT_TRANSFORMERS_TOKENIZER_H

#include "heed/config.h"
#include "heed/convert.h"
#include "heed/tokenizer.h"

/** Reads the casing from a tokenizer_config.json; HEED_CASING_UNSAID when there is no such file or it does not say.
 *  What it asks for and Heed's tokenizer does not do is a warning.  Errors: HEED_INVALID for a file that is not JSON. */
heed_status heed_transformers_read_casing(const char *path, heed_casing *casing);

/** tokenizer_config.json.  \param[out] text  allocated. */
heed_status heed_transformers_print_tokenizer_config(const heed_config *config, const heed_tokenizer *tokenizer, char **text);

/** tokenizer.json: BERT's WordPiece with [CLS] and [SEP] around a text or between two, or GPT-2's byte-level BPE with nothing around it.
 *  \param[out] text  allocated.  Source: Hugging Face tokenizers 0.23, `Tokenizer.to_str`. */
heed_status heed_transformers_print_tokenizer(const heed_tokenizer *tokenizer, char **text);

#endif
