/** What may lie in the folder of a new run, under the names that a run writes.
 *
 *  A run replaces config.yaml and the files of its vocabulary.  What an earlier one wrote there without saving anything may go; a file that
 *  somebody else put there (a configuration with its comments, another vocabulary) is not lost for it. */
#ifndef HEED_TRAIN_RUN_FOLDER_H
#define HEED_TRAIN_RUN_FOLDER_H

#include <stddef.h>

#include "heed/status.h"

/** Checks that there is nothing at `path`, or a configuration just as heed_config_print prints it.  Errors: HEED_INVALID. */
heed_status heed_run_folder_check_config(const char *path);

/** Checks that there is nothing at `path`, or this text: a file of the vocabulary.  Errors: HEED_INVALID. */
heed_status heed_run_folder_check_vocabulary(const char *path, const void *text, size_t bytes);

#endif
