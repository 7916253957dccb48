#include "comm/exchange.h"

#include "base/cast.h"
#include "comm/sum.h"

enum { TAG_ADD = 1, TAG_COPY = 2 };
enum { LARGEST = 1 << 28 }; /* floats of a message that is only copied: MPI counts are int */

static int piece_length(heed_run run, int64_t piece) {
  const int64_t left = run.count - piece * HEED_PIECE;
  return heed_int(left < HEED_PIECE ? left : HEED_PIECE);
}

static int64_t pieces_of(heed_run run) {
  return (run.count + HEED_PIECE - 1) / HEED_PIECE;
}

/* HEED_PIECES_AHEAD messages are under way in each direction; piece i uses slot i mod HEED_PIECES_AHEAD. */
void heed_exchange_add(heed_job *job, int peer, heed_run give, heed_run take) {
  MPI_Request sends[HEED_PIECES_AHEAD], receives[HEED_PIECES_AHEAD];
  const int64_t outgoing = pieces_of(give), incoming = pieces_of(take), ahead = HEED_PIECES_AHEAD;
  for (int64_t i = -ahead; i < outgoing || i < incoming; i++) {
    const int64_t slot = (i + ahead) % ahead, next = i + ahead;
    float *arrived = job->receive + slot * HEED_PIECE;
    if (i >= 0 && i < incoming) {
      MPI_Wait(&receives[slot], MPI_STATUS_IGNORE);
      heed_sum_into(take.data + i * HEED_PIECE, arrived, piece_length(take, i));
    }
    if (next < incoming)
      MPI_Irecv(arrived, piece_length(take, next), MPI_FLOAT, peer, TAG_ADD, job->ranks, &receives[slot]);
    if (i >= 0 && i < outgoing)
      MPI_Wait(&sends[slot], MPI_STATUS_IGNORE);
    if (next < outgoing)
      MPI_Isend(give.data + next * HEED_PIECE, piece_length(give, next), MPI_FLOAT, peer, TAG_ADD, job->ranks, &sends[slot]);
  }
}

static heed_run take_front(heed_run *run) {
  heed_run front = {run->data, run->count < LARGEST ? run->count : LARGEST};
  run->data += front.count;
  run->count -= front.count;
  return front;
}

void heed_exchange_copy(heed_job *job, int to, heed_run give, int from, heed_run take) {
  while (give.count > 0 || take.count > 0) {
    const heed_run out = take_front(&give), in = take_front(&take);
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    if (in.count > 0)
      MPI_Irecv(in.data, heed_int(in.count), MPI_FLOAT, from, TAG_COPY, job->ranks, &requests[0]);
    if (out.count > 0)
      MPI_Isend(out.data, heed_int(out.count), MPI_FLOAT, to, TAG_COPY, job->ranks, &requests[1]);
    MPI_Waitall(2, requests, MPI_STATUSES_IGNORE);
  }
}

void heed_exchange_send(heed_job *job, int to, heed_run give) {
  heed_exchange_copy(job, to, give, MPI_PROC_NULL, (heed_run){0});
}

void heed_exchange_receive(heed_job *job, int from, heed_run take) {
  heed_exchange_copy(job, MPI_PROC_NULL, (heed_run){0}, from, take);
}
