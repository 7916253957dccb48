/** A training session: everything a run holds while it trains. */
#ifndef HEED_TRAIN_SESSION_H
#define HEED_TRAIN_SESSION_H

#include "data/reader.h"
#include "data/sampler.h"
#include "evaluate/token_scores.h"
#include "heed/checkpoint.h"
#include "heed/tokenizer.h"
#include "heed/trainer.h"
#include "report/metrics.h"
#include "report/report.h"
#include "train/showing.h"
#include "train/step.h"

typedef struct heed_session {
  const heed_config *config;
  heed_train_options options;
  heed_communication *communication;
  const heed_kernels *kernels;
  heed_tokenizer *tokenizer;
  heed_sampler *training, *validation; /* validation may be NULL */
  heed_reader *reader;
  heed_stepper *stepper;
  heed_token_evaluator *evaluator;
  heed_checkpoint_store *store;
  heed_metrics *metrics; /* rank 0 only */
  heed_showing *showing; /* with validation data, of rank 0 and its tensor ranks */
  heed_report *report;   /* rank 0 only */
  char *config_text;
  bool fresh;   /* begun at step 0, from no checkpoint of its own */
  char *origin; /* what it begins from, as a message; NULL for nothing */
  bool unsound; /* a save found that a rank's memory has changed by itself */

  /* Where the run is: three numbers, since a skipped update or a rollback parts them. */
  int64_t step, updates, data_position;
  int64_t samples_seen;
  double validation_loss; /* NaN when this step was not evaluated */
  double begun;           /* heed_seconds at the start of the program's training */
} heed_session;

/** Opens data, run folder and model, and restores the newest checkpoint on resume.  Collective.  On failure too the session
 *  is to be closed.  Errors: as heed_train's; all ranks return the same. */
heed_status heed_session_open(heed_session *session, const heed_config *config, const heed_train_options *options,
                              heed_communication *communication);
void heed_session_close(heed_session *session);

/** Weights, moments and the count of updates are those of the newest good checkpoint again, or of the beginning if there is none; step and
 *  data go on, so that what was read since is not read again.  Collective.
 *  \param[out] from  the checkpoint, allocated; NULL: none */
heed_status heed_session_roll_back(heed_session *session, char **from);

/** Saves the present state: `now`, or it begins to, where checkpoint.background allows it (heed_checkpoint_begin).  Collective.
 *  An error with `unsound` is no failed save but the end of the session: its weights or moments are not to be trusted. */
heed_status heed_session_save(heed_session *session, bool now);

/** Room for run.output (at most 4,096 bytes) and a name below it. */
enum { HEED_RUN_PATH = 4096 + 64 };

/** The path of a file of the run folder. */
void heed_session_path(const heed_session *session, const char *name, char path[HEED_RUN_PATH]);

#endif
