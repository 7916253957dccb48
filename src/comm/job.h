/** What the files of comm/ share about an MPI job. */
#ifndef HEED_COMM_JOB_H
#define HEED_COMM_JOB_H

#include <mpi.h>
#include <stdbool.h>

#include "heed/communication.h"

/** Floats of one message: the piece that was received is still in the cache when it is added. */
enum { HEED_PIECE = 1 << 16 };

/** Messages in flight in each direction. */
enum { HEED_PIECES_AHEAD = 4 };

typedef struct heed_job {
  heed_communication table; /**< table.self leads back here */
  MPI_Comm ranks;           /**< a duplicate of MPI_COMM_WORLD: our own traffic */
  MPI_Comm node;            /**< the ranks of this machine */
  int node_rank, node_size;
  bool began_mpi;    /**< and so ends it */
  char agreed[2048]; /**< the text of the last failure all agreed on */

  int group;  /**< 2ᵏ of P = q·2ᵏ: ranks [g·2ᵏ, (g + 1)·2ᵏ) are group g, a perfect binary subtree */
  int groups; /**< q, odd */

  int64_t *edges;        /**< [P + 1] shards in the order of the flat block: place s is [edges[s], edges[s + 1]) */
  float *receive;        /**< pieces on their way in */
  int64_t direct_piece;  /**< floats of a message in the exchange among groups */
  MPI_Request *requests; /**< [2 · (q − 1)] */
  const float **leaves;  /**< [q] */
} heed_job;

static inline heed_job *heed_job_of(heed_communication *table) {
  return table->self;
}

/** Fill the operations of a job's table: agree … abort (agreement.c), shard … gather_range (shards.c). */
void heed_job_set_agreement(heed_job *job);
void heed_job_set_shards(heed_job *job);

/** Frees what `shard` allocated. */
void heed_job_free_shards(heed_job *job);

#endif
