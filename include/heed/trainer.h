/** Training: one run, from its configuration to its last checkpoint. */
#ifndef HEED_TRAINER_H
#define HEED_TRAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/communication.h"
#include "heed/config.h"
#include "heed/status.h"

typedef struct heed_train_options {
  bool resume;           /**< go on from the newest good checkpoint; start at step 0 when there is none */
  int64_t ranks_on_node; /**< ranks that share this machine's memory; 0 stands for 1 */
} heed_train_options;

/** Trains to config->train.steps and saves at the end.  Collective.  USR1, TERM and INT stop it at the next step in a program
 *  that has installed Heed's handlers, as `heed train` does.
 *  Returns HEED_OK when all steps are done; HEED_STOPPED when it was asked to stop and has saved; HEED_INVALID for what is missing or
 *  does not fit (a run folder with checkpoints but no `resume`, data, vocabulary, number of ranks); HEED_IO when a save failed at the
 *  very end.  A failed save in between is reported and training goes on. */
heed_status heed_train(const heed_config *config, const heed_train_options *options, heed_communication *communication);

#endif
