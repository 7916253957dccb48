/** The promise that ranks and threads never change the result, checked: short runs of one configuration, compared bit for bit. */
#ifndef HEED_MEASURE_VERIFY_H
#define HEED_MEASURE_VERIFY_H

#include <stdint.h>

#include "heed/config.h"
#include "heed/status.h"

typedef struct heed_verify heed_verify;

typedef struct heed_verify_spec {
  const char *path;            /**< the configuration's file */
  const char *const *settings; /**< --set KEY=VALUE */
  int setting_count;
  const heed_config *config; /**< what both give */
  int64_t steps;             /**< of each run */
} heed_verify_spec;

/** What a run ended with. */
typedef struct heed_verify_result {
  double seconds;
  uint64_t hash;       /**< of all parameters: of their names and checksums in order */
  int64_t count;       /**< tensors */
  char **names;        /**< [count] */
  uint64_t *checksums; /**< [count] */
} heed_verify_result;

/** Makes a folder for the runs, below $TMPDIR or /tmp.  From here to heed_verify_end the signals that end a program are held back
 *  (child.h), so that the folder is removed whatever happens.  `spec` is borrowed. */
heed_status heed_verify_begin(heed_verify **verify, const heed_verify_spec *spec);

/** Trains on that many ranks, each with that many threads, through `mpirun`, and reads what it saved at its last step.
 *  Without evaluations and saves in between; warm-up and final decay are shortened to fit the steps.
 *  Errors: the run's own exit code, after its last lines of output have been shown; HEED_STOPPED when a signal came. */
heed_status heed_verify_run(heed_verify *verify, int64_t ranks, int64_t threads, heed_verify_result *result);

/** How many tensors of two runs differ.  \param[out] first  the name of the first of them (NULL when none does) */
int64_t heed_verify_differences(const heed_verify_result *a, const heed_verify_result *b, const char **first);

void heed_verify_result_free(heed_verify_result *result);

/** Removes the folder. */
void heed_verify_end(heed_verify *verify);

#endif
