/** Two ranks exchange runs of floats, in pieces, so that what arrives is used while the next is on its way.
 *
 *  Both sides must name the same lengths: what one gives is what the other takes.  Any length may be 0. */
#ifndef HEED_COMM_EXCHANGE_H
#define HEED_COMM_EXCHANGE_H

#include <stdint.h>

#include "comm/job.h"

/** A run of floats in memory. */
typedef struct heed_run {
  float *data;
  int64_t count;
} heed_run;

/** Sends `give` to rank `peer` and adds what comes from there to `take`. */
void heed_exchange_add(heed_job *job, int peer, heed_run give, heed_run take);

/** Sends `give` to rank `to` and stores what comes from rank `from` in `take`. */
void heed_exchange_copy(heed_job *job, int to, heed_run give, int from, heed_run take);

/** One way only. */
void heed_exchange_send(heed_job *job, int to, heed_run give);
void heed_exchange_receive(heed_job *job, int from, heed_run take);

#endif
