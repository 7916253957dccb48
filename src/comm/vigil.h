/** The vigil: what a rank has heard of others, and what to make of it.  It has no clock and no socket: watchdog.c brings both.
 *
 *  Rank 0 keeps one over all ranks.  Each other rank keeps one over rank 0 and itself: as long as it hears rank 0 it leaves the judgement
 *  to it. */
#ifndef HEED_COMM_VIGIL_H
#define HEED_COMM_VIGIL_H

#include <stddef.h>

#include "base/pulse.h"
#include "heed/status.h"

enum { HEED_HOST_BYTES = 64 };
typedef char heed_host[HEED_HOST_BYTES];

/** Times, in seconds. */
typedef struct heed_vigil_spec {
  int rank, ranks;        /**< who keeps it, of how many */
  const heed_host *hosts; /**< [ranks]; on other ranks than 0 [2]: rank 0's and their own */
  double limit;           /**< the least time without a move that ends the job */
  double silence;         /**< the time without a word that makes a rank silent */
  double start;           /**< now */
} heed_vigil_spec;

typedef enum heed_verdict {
  HEED_VERDICT_CALM,
  HEED_VERDICT_WARN,  /**< once for each standstill */
  HEED_VERDICT_AGAIN, /**< what was warned of is over */
  HEED_VERDICT_END    /**< the limit is over */
} heed_verdict;

typedef struct heed_vigil heed_vigil;

/** Rank-local.  Errors: HEED_FAILED when memory is short. */
heed_status heed_vigil_create(heed_vigil **vigil, const heed_vigil_spec *spec);
void heed_vigil_free(heed_vigil *vigil);

/** A word of `rank`, which says how it is.  Words of ranks that this vigil does not watch count for nothing. */
void heed_vigil_hear(heed_vigil *vigil, int rank, heed_pulse pulse, double now);

/** All times begin anew: the whole process was stopped, and what it did not hear tells nothing. */
void heed_vigil_begin_anew(heed_vigil *vigil, double now);

/** What to do.  With m = `median_step` (0: not known) a standstill of max(3 s, 5 m) is warned of, and one of max(limit, 10 m) is the end:
 *  ten times as long where a rank that answers works with files, or one was never heard of; a warning also while m is not known.
 *  \param[out] text  of a verdict but calm: how long, and which ranks are silent or do not wait for others */
heed_verdict heed_vigil_judge(heed_vigil *vigil, double median_step, double now, char *text, size_t bytes);

#endif
