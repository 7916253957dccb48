/** What the files of comm/ share about an MPI job, and about each group of its ranks that has a table of its own (groups.c). */
#ifndef HEED_COMM_JOB_H
#define HEED_COMM_JOB_H

#include <mpi.h>
#include <stdbool.h>

#include "heed/communication.h"

/** A run of floats in memory. */
typedef struct heed_run {
  float *data;
  int64_t count;
} heed_run;

/** A part of the flat block in memory: elements [first, first + count), from `data` on. */
typedef struct heed_part {
  float *data;
  int64_t first, count;
} heed_part;

typedef struct heed_node_block heed_node_block;
typedef struct heed_sums heed_sums;
typedef struct heed_addition heed_addition;

typedef struct heed_job heed_job;
struct heed_job {
  heed_communication table; /**< table.self leads back here */
  heed_job *world;          /**< all ranks: this one itself, unless it is a group */
  MPI_Comm ranks;           /**< a communicator of its own: our own traffic */
  MPI_Comm node;            /**< those on this machine */
  int node_rank, node_size;
  bool began_mpi; /**< and so ends it */

  int group;  /**< 2ᵏ of P = q·2ᵏ: ranks [g·2ᵏ, (g + 1)·2ᵏ) are group g, a perfect binary subtree */
  int groups; /**< q, odd */

  /* Ranks that read each other's memory (node.c): [near_first, near_first + near), all P or an aligned power of two within a group. */
  int near, near_first;
  MPI_Comm near_ranks;
  heed_node_block *blocks; /**< what they share, a list */
  heed_node_block *turns;  /**< of it: how far each has come */
  int64_t begun, filled;   /**< sums begun and flat blocks gathered so far: the numbers that near ranks wait by */
  size_t room;             /**< bytes of shared memory that this rank may still take; without limit for the world */

  /* The shards (shards.c). */
  int64_t buckets;
  int64_t *edges; /**< [buckets][P + 1]: place s of a bucket is [edges[s], edges[s + 1]) */
  heed_shard_run *runs;
  MPI_Request *copies; /**< [HEED_MOST_GATHERED · 2 · buckets] of allgather_shards */
  heed_sums *sums;     /**< under way (sums.c) */

  heed_addition *addition; /**< what `add` works with (add.c) */
};

static inline heed_job *heed_job_of(heed_communication *table) {
  return table->self;
}

/** Makes a job of the ranks of a communicator, which it owns from then on: its place among them and its table's operations.  What is
 *  shared is opened after that (node.h, add.h).  Collective.  \param[in] world  the job itself, or the one that it is a group of */
void heed_job_fill(heed_job *job, MPI_Comm ranks, heed_job *world);

/** Frees all that a job has; harmless for one of zeros.  Collective. */
void heed_job_close(heed_job *job);

/** Fill the operations of a job's table: agree … barrier, bring, abort (agreement.c), allocate, release (node.c), shard, gather_range
 * (shards.c), sum_start … sum_finish (sums.c), allgather_shards (gather.c), add (add.c). */
void heed_job_set_agreement(heed_job *job);
void heed_job_set_node(heed_job *job);
void heed_job_set_shards(heed_job *job);
void heed_job_set_sums(heed_job *job);
void heed_job_set_gather(heed_job *job);
void heed_job_set_add(heed_job *job);

#endif
