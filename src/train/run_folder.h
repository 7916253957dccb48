/** What may lie in the folder of a new run, under the names that a run writes.
 *
 *  A run replaces config.yaml, the files of its vocabulary and what people look at.  What an earlier one wrote there and has no checkpoint
 *  of may go, but for what it measured; a file that somebody else put there (a configuration with its comments, another vocabulary, the
 *  metrics of another program) is not lost for it. */
#ifndef HEED_TRAIN_RUN_FOLDER_H
#define HEED_TRAIN_RUN_FOLDER_H

#include <stddef.h>

#include "heed/status.h"

/** Checks that there is nothing at `path`, or a configuration just as heed_config_print prints it.  Errors: HEED_INVALID. */
heed_status heed_run_folder_check_config(const char *path);

/** Checks that there is nothing at `path`, or this text: a file of the vocabulary.  Errors: HEED_INVALID. */
heed_status heed_run_folder_check_vocabulary(const char *path, const void *text, size_t bytes);

/** Spares what people look at (metrics.jsonl, samples.jsonl, loss.svg, report.html).  Without a config.yaml beside them they are no run's,
 *  and must not be there.  Otherwise an earlier run's metrics.jsonl and samples.jsonl, unless empty, get another name: metrics.jsonl.1, or
 *  the first that is free.  Errors: HEED_INVALID, HEED_IO. */
heed_status heed_run_folder_spare(const char *folder);

#endif
