/** The config.json of a transformers folder. */
#ifndef HEED_CONVERT_TRANSFORMERS_H
#define HEED_CONVERT_TRANSFORMERS_H

#include "convert/classes.h"
#include "heed/config.h"
#include "heed/tokenizer.h"

/** Reads config.json as a configuration of Heed's, with `settings` on top: the model's keys come from the file, those of training are
 *  placeholders that a run of one's own replaces.
 *  \param[in] name  run.name of the result; next_sentence: whether the weights have that head.  \param[out] config  to be freed.
 *  \param[out] class  what it is of.  Errors: HEED_INVALID naming the key for a model that Heed does not build, HEED_IO. */
heed_status heed_transformers_read_config(heed_config *config, const heed_class **class, const char *path, const char *name,
                                          bool next_sentence, const char *const *settings, int setting_count);

/** The class that a configuration's model is one of.  Errors: HEED_INVALID when transformers has none that computes the same. */
heed_status heed_transformers_class_of(const heed_class **class, const heed_config *config);

/** config.json for a configuration of that class.  \param[out] text  allocated. */
heed_status heed_transformers_print_config(const heed_config *config, const heed_class *class, const heed_special_tokens *special,
                                           char **text);

#endif
