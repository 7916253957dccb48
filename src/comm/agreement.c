/* What ranks tell each other beside sums: errors, small values, copies from rank 0, and the end of the job. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cast.h"
#include "base/pulse.h"
#include "comm/job.h"
#include "heed/log.h"

enum { CALL_BYTES = 1 << 30 }; /* of one call: MPI counts are int */

enum { TAG_BRING = 5 };

/* The text of the last failure that ranks agreed on: of the world, or of a group, on which the world may agree after that. */
static char agreed[2048];

/* The failing rank's text becomes everybody's.  A text that holds what was agreed on before names its rank already. */
static heed_status take_failure(heed_job *job, int failed, heed_status mine) {
  struct {
    int status;
    char text[sizeof agreed];
  } failure = {0};
  if (job->table.rank == failed) {
    const char *text = heed_error_text();
    const bool named = job->world->table.size == 1 || (agreed[0] && strstr(text, agreed));
    failure.status = mine;
    if (named)
      snprintf(failure.text, sizeof failure.text, "%s", text);
    else
      snprintf(failure.text, sizeof failure.text, "rank %d: %s", job->world->table.rank, text);
  }
  MPI_Bcast(&failure, sizeof failure, MPI_BYTE, failed, job->ranks);
  memcpy(agreed, failure.text, sizeof agreed);
  return heed_error((heed_status)failure.status, "%s", failure.text);
}

/* In the good case one small collective: the lowest failing rank, or INT_MAX. */
static heed_status agree(heed_communication *table, heed_status mine) {
  heed_job *job = heed_job_of(table);
  int lowest = mine == HEED_OK ? INT_MAX : table->rank;
  const bool before = heed_pulse_wait(true);
  MPI_Allreduce(MPI_IN_PLACE, &lowest, 1, MPI_INT, MPI_MIN, job->ranks);
  const heed_status all = lowest == INT_MAX ? HEED_OK : take_failure(job, lowest, mine);
  heed_pulse_wait(before);
  return all;
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static void broadcast(heed_communication *table, void *data, size_t bytes) {
  char *next = data;
  const bool before = heed_pulse_wait(true);
  while (bytes > 0) {
    const size_t piece = smaller(bytes, CALL_BYTES);
    MPI_Bcast(next, heed_int((int64_t)piece), MPI_BYTE, 0, heed_job_of(table)->ranks);
    next += piece;
    bytes -= piece;
    heed_pulse_beat();
  }
  heed_pulse_wait(before);
}

static void bring(heed_communication *table, void *root, const void *data, size_t bytes, int from) {
  heed_job *job = heed_job_of(table);
  const bool before = heed_pulse_wait(true);
  if (from == 0 && table->rank == 0)
    memcpy(root, data, bytes);
  for (size_t first = 0; from != 0 && first < bytes; first += CALL_BYTES) {
    const int piece = heed_int((int64_t)smaller(bytes - first, CALL_BYTES));
    if (table->rank == from)
      MPI_Send((const char *)data + first, piece, MPI_BYTE, 0, TAG_BRING, job->ranks);
    else if (table->rank == 0)
      MPI_Recv((char *)root + first, piece, MPI_BYTE, from, TAG_BRING, job->ranks, MPI_STATUS_IGNORE);
  }
  heed_pulse_wait(before);
}

static void allgather(heed_communication *table, double *values, int64_t count) {
  const bool before = heed_pulse_wait(true);
  MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, values, heed_int(count), MPI_DOUBLE, heed_job_of(table)->ranks);
  heed_pulse_wait(before);
}

static int64_t maximum(heed_communication *table, int64_t value) {
  const bool before = heed_pulse_wait(true);
  MPI_Allreduce(MPI_IN_PLACE, &value, 1, MPI_INT64_T, MPI_MAX, heed_job_of(table)->ranks);
  heed_pulse_wait(before);
  return value;
}

static void barrier(heed_communication *table) {
  const bool before = heed_pulse_wait(true);
  MPI_Barrier(heed_job_of(table)->ranks);
  heed_pulse_wait(before);
}

static void abort_job(heed_communication *table, heed_status status) {
  heed_rank_alarm("error: ", "%s", heed_error_text());
  fflush(NULL);
  MPI_Abort(heed_job_of(table)->world->ranks, status); /* of a group, its ranks alone would end */
}

void heed_job_set_agreement(heed_job *job) {
  job->table.agree = agree;
  job->table.broadcast = broadcast;
  job->table.allgather = allgather;
  job->table.maximum = maximum;
  job->table.barrier = barrier;
  job->table.bring = bring;
  job->table.abort = abort_job;
}
