/** Evaluation of a checkpoint as a job of its own. */
#ifndef HEED_EVALUATE_RUN_H
#define HEED_EVALUATE_RUN_H

#include "evaluate/token_scores.h"
#include "heed/communication.h"

/** Loads a checkpoint (its folder, or a run folder: the newest good one) and scores it on all of `data`, a token shard or a glob; NULL:
 *  the validation data of its configuration.  Collective.
 *  Errors: HEED_INVALID for what is missing or does not fit: checkpoint, data, vocabulary, number of ranks. */
heed_status heed_evaluate_checkpoint(const char *checkpoint, const char *data, heed_communication *communication, heed_token_scores *scores,
                                     int64_t *step);

#endif
