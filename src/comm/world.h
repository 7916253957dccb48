/** The world: the ranks of an mpirun job as a communication table.
 *
 *  The only room that calls MPI.  A process that no launcher started gets heed_alone() and never touches MPI, so that a plain
 *  `heed train` needs no daemon and starts at once.
 *
 *  What ranks agree on is the table's `maximum`: of one decision a step (save, stop) the most urgent, of instruction levels the lowest,
 *  −maximum(−level). */
#ifndef HEED_COMM_WORLD_H
#define HEED_COMM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/communication.h"
#include "heed/status.h"

/** Whether a launcher (mpirun, srun with PMI or PMIx) started this process: told by its environment, no MPI call. */
bool heed_world_is_launched(void);

/** How many processes it started; 0 when there is no launcher, or it does not say. */
int64_t heed_world_launched(void);

/** Whether heed_world_open has opened a job's world in this process. */
bool heed_world_is_open(void);

/** Opens the world and tells the log this rank.  Collective when launched.  A second call gives the same world.
 *  MPI starts with MPI_THREAD_FUNNELED: only the thread that opened the world may use the table.  When the calling program has
 *  started MPI itself, it is used as it is.  Signal handlers must be installed before.  When launched, the process ends with its launcher
 *  (comm/launcher.h).
 *  \param[out] world  owned by comm/, valid until heed_world_close
 *  Errors: HEED_INVALID when the launcher started more processes than MPI can see (another MPI's mpirun, srun without PMI): they would
 *  all be rank 0 of a job of their own.  HEED_FAILED when MPI cannot be funneled or memory is short. */
heed_status heed_world_open(heed_communication **world);

/** Ends MPI if heed_world_open started it.  Collective; harmless when no world is open.  A rank that leaves because of an error that
 *  was not agreed on must call the table's abort instead. */
void heed_world_close(void);

/** Divides the P ranks into P / t data ranks times t = `tensor` tensor ranks, and gives the world's table the two groups that this rank is
 *  in (communication.h), each a whole table, which last until the world is closed or divided anew.  t = 1: data is the world itself and
 *  tensor a process by itself.  A second call with the same t does nothing; before one with another t, blocks of the groups are released.
 *  What ranks of a group agree on is known to them alone; `abort` ends the whole job.  Collective.
 *  Errors: HEED_INVALID when t < 1 or t does not divide P; HEED_FAILED on all ranks when memory is short on any: the world is then not
 *  divided. */
heed_status heed_world_divide(heed_communication *world, int tensor);

/** This rank's place among the ranks of its machine, for the placement of threads: rank 0 of 1 when alone. */
typedef struct heed_node {
  int rank, size;
} heed_node;
heed_node heed_world_node(const heed_communication *world);

/** The processors this rank may count as its own.  Collective.
 *  Each processor this process may run on (its affinity) is divided among the ranks of the machine that may run on it too: ranks that
 *  mpirun bound apart keep what they have, unbound ones share.  At least 1, and no more than a container's limit on processor time.
 *  Errors: HEED_FAILED when the affinity cannot be read. */
heed_status heed_world_processors(heed_communication *world, int *processors);

/** A container's limit on processor time, in processors for the whole machine; 0 when there is none. */
double heed_world_processor_limit(void);

/** Chooses the number of OpenMP threads of this rank and sets it: OMP_NUM_THREADS where set, else heed_world_processors.  Collective.
 *  \param[out] threads  what was set */
heed_status heed_world_threads(heed_communication *world, int *threads);

/** How many ranks will share memory with one, itself included, of so many that lie on machines one after the other: all of a single
 *  machine; else the largest power of two that divides both numbers.  Pure. */
int heed_world_near(int ranks, int ranks_on_node);

/** Bytes that a rank of so many receives messages into, from the first `shard` of the table on, with buckets of HEED_BUCKET_FLOATS.  Pure.
 */
size_t heed_world_buffer_bytes(int ranks, int ranks_on_node);

/** Bytes that MPI itself takes of a rank: its libraries and what it shares with the other ranks of the machine.  Measured with Open MPI
 *  4.1 on one machine; a network's own library adds what it needs.  0 for one rank alone.  Pure. */
size_t heed_world_mpi_bytes(int ranks, int ranks_on_node);

/** What a job will be, in which each layer is divided among `tensor` ranks. */
typedef struct heed_foresight {
  int near;     /**< data ranks that will read each other's blocks */
  size_t bytes; /**< that exchanging takes of a rank: receive buffers, and MPI itself */
} heed_foresight;

/** Of `ranks` that lie on machines one after the other, `ranks_on_node` on each.  Pure. */
heed_foresight heed_world_foresee(int ranks, int ranks_on_node, int tensor);

/** Checks that `slices` = G can be summed along one tree by the P = ranks / t data ranks that t = `tensor` leaves: G = q·2ⁿ with q odd runs
 *  on P = 1 or q·2ᵏ, k ≤ n.  Data rank r then holds the slices [r·G/P, (r + 1)·G/P), which are one subtree.  Pure.
 *  \param[in] option  what the command takes their number by, for the advice: "mpirun -n" or "--ranks"
 *  Errors: HEED_INVALID, naming the allowed numbers. */
heed_status heed_world_check_ranks(int64_t slices, int64_t tensor, int ranks, const char *option);

/** The smallest allowed number of data ranks above `ranks`, 0 when there is none: from 0 on, all of them in their order.  slices ≥ 1.
 *  Pure. */
int heed_world_next_ranks(int64_t slices, int ranks);

#endif
