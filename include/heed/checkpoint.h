/** Checkpoints: one HDF5 file (of a very large state several) and one manifest a step, written so that a kill at any moment loses nothing
 * (the commit protocol is in src/checkpoint/commit.c).  They hold global, logical tensors only: the number of ranks, and of parts, leaves
 * no trace. */
#ifndef HEED_CHECKPOINT_H
#define HEED_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/communication.h"
#include "heed/parameters.h"
#include "heed/status.h"

enum { HEED_MAX_MOMENTS = 2 };
#define HEED_STATE_FILE_BYTES ((int64_t)32 << 30) /**< of tensors in one file of a state, unless they are said to be others */

/** What a checkpoint holds beside tensors. */
typedef struct heed_checkpoint_info {
  int64_t step;          /**< steps made */
  int64_t updates;       /**< updates made (Adam's t): a skipped update parts it from step */
  int64_t data_position; /**< global batches read */
  int64_t samples_seen;
  uint32_t seed;
  bool cased;
  uint64_t data_hash;     /**< of the training data (heed_sampler_data_hash); 0: not known, or there are none */
  double validation_loss; /**< of an evaluation at this step; NaN without one */
  char isa[32], blas[32]; /**< instruction level and OpenBLAS core: a resume on others goes on, but not bit for bit */
  char *config;           /**< resolved YAML; on load allocated, freed by heed_checkpoint_info_free */
  char *vocabulary;       /**< as heed_tokenizer_text gives it; likewise */
  int64_t bytes;          /**< on load: of all files of its state */
} heed_checkpoint_info;

/** The tensors of a save or a load: blocks laid out by the table, of which each rank gives its part (parameters.h); they are stored
 *  whole.  Shards are those of the data ranks (communication.h: `data`'s runs). */
typedef struct heed_checkpoint_tensors {
  const heed_parameter_table *table;
  float *parameters;                          /**< the whole flat block, the same on every data rank */
  bool parameters_sharded;                    /**< `parameters` is this rank's shard of it instead */
  int moments;                                /**< 0 (weights only) to HEED_MAX_MOMENTS */
  const char *moment_names[HEED_MAX_MOMENTS]; /**< "m", "v" */
  float *moment_shards[HEED_MAX_MOMENTS];     /**< this rank's shard of each */
  /** Asked by a save when all of them have been read and nothing is committed; an error, the same on all ranks, is the save's, and leaves
   *  nothing of it.  Collective.  NULL: nobody is asked. */
  heed_status (*are_sound)(void *context);
  void *context;
} heed_checkpoint_tensors;

typedef struct heed_checkpoint_store heed_checkpoint_store;

/** Takes the run folder: creates it and checkpoints/ below it, locks it against a second job, sweeps leftovers of killed saves.
 *  Collective.  Errors: HEED_INVALID when another job holds the lock, HEED_IO when the folder cannot be made or written. */
heed_status heed_checkpoint_store_open(heed_checkpoint_store **store, const char *run_folder, int64_t keep,
                                       heed_communication *communication);

/** From the next save on a state whose tensors take more than `file_bytes` bytes is divided, along the table, into files that take no more
 *  (but one tensor that does, and all where there would be over 256).  Until then: HEED_STATE_FILE_BYTES.  Rank-local; only rank 0's
 *  counts. */
void heed_checkpoint_store_split(heed_checkpoint_store *store, int64_t file_bytes);

void heed_checkpoint_store_close(heed_checkpoint_store *store);

/** Whether the store holds any checkpoint, good or not.  Collective. */
bool heed_checkpoint_store_is_empty(heed_checkpoint_store *store);

/** Saves and then retires old checkpoints: the newest `keep` (at least two) and the best by validation_loss stay.  Collective.
 *  On failure the earlier checkpoints are untouched and all ranks return the same status. */
heed_status heed_checkpoint_save(heed_checkpoint_store *store, const heed_checkpoint_info *info, const heed_checkpoint_tensors *tensors);

/** Begins the same: when it returns the tensors may be changed, while a thread of rank 0 goes on to write a copy of them.  Where that has
 * no room for a copy, all of the save is done before it returns.  No save goes on when it is called.  The texts of `info` are borrowed
 * until the end.  Until then nothing else is asked of the store, nor of HDF5 by rank 0.  Collective.  Errors: as heed_checkpoint_save's. */
heed_status heed_checkpoint_begin(heed_checkpoint_store *store, const heed_checkpoint_info *info, const heed_checkpoint_tensors *tensors);

/** Whether a save that was begun has not ended yet: the same on all ranks. */
bool heed_checkpoint_is_begun(const heed_checkpoint_store *store);

/** On rank 0: whether it is written, so that its end will not wait. */
bool heed_checkpoint_is_written(const heed_checkpoint_store *store);

/** Ends the save that was begun: waits until it is written, and then the checkpoint is there.  Collective.
 *  \param[out] step  of the checkpoint.  Errors: as heed_checkpoint_save's. */
heed_status heed_checkpoint_end(heed_checkpoint_store *store, int64_t *step);

/** Writes one checkpoint outside any run (weights from elsewhere), by the same protocol: the folder `path`, which must not be there yet,
 *  appears whole or not at all (a kill leaves PATH.tmp-…, which may be removed).  Rank-local.
 *  Errors: HEED_INVALID when `path` is there already or no folder can be made at its place; HEED_IO for a failed write; HEED_FAILED
 *  when memory is short. */
heed_status heed_checkpoint_write(const char *path, const heed_checkpoint_info *info, const heed_checkpoint_tensors *tensors);

/** Finds the newest good checkpoint of the run; bad ones are passed over with a warning that says why.  Collective.
 *  \param[out] path  allocated: the checkpoint's folder, or NULL when there is none.
 *  Errors: HEED_IO when there is none but some that cannot be read just now, HEED_FAILED when memory or descriptors are short. */
heed_status heed_checkpoint_newest(heed_checkpoint_store *store, char **path);

/** Reads step, configuration and vocabulary.  `path` is a checkpoint folder, or a run folder (its newest good checkpoint is taken).
 *  Rank-local.  \param[out] resolved  the checkpoint's folder, allocated (may be NULL). */
heed_status heed_checkpoint_read_info(const char *path, heed_checkpoint_info *info, char **resolved);

/** Reads tensors into the given blocks.  Rank 0 reads and validates; others receive.  Collective (heed_alone() for one process).
 *  Errors: HEED_INVALID naming the tensor for one that is missing or of another shape or type. */
heed_status heed_checkpoint_load(const char *path, const heed_checkpoint_tensors *tensors, heed_communication *communication);

/** Checks every byte of one checkpoint against its manifest.  Rank-local. */
heed_status heed_checkpoint_verify(const char *path);

void heed_checkpoint_info_free(heed_checkpoint_info *info);

#endif
