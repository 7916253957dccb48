/** Failpoints: named places where a test can end the program or make a step fail.
 *
 *  HEED_FAILPOINT=NAME[:N[-M][:ACTION]] acts on the N-th passing of the place NAME (default 1), and on those up to the M-th.  ACTION:
 *  `kill` (the default) is SIGKILL to the process itself, as a lost node would; `exit` leaves at once with code 1; `error` lets the step
 *  fail with HEED_IO, so that the error path is walked; `hang` never goes on, as a call into a dead file system.  They are part of release
 *  builds too, since what is shipped is what should be tested. */
#ifndef HEED_BASE_FAILPOINT_H
#define HEED_BASE_FAILPOINT_H

#include "heed/status.h"

/** The places, in the order a save and a load pass them. */
typedef enum heed_failpoint_place {
  HEED_AT_SAVE_BEGIN,         /**< every rank, before anything */
  HEED_AT_SAVE_FOLDER,        /**< temporary folder made */
  HEED_AT_SAVE_CREATE,        /**< state.h5, and what other files it has, made and laid out */
  HEED_AT_SAVE_TEXTS,         /**< no tensor written yet */
  HEED_AT_SAVE_PIECE,         /**< a piece of a tensor taken for writing (passed many times) */
  HEED_AT_SAVE_WINDOW,        /**< 4 MiB of a file written, or its end (likewise) */
  HEED_AT_SAVE_SYNC,          /**< before fsync of a file of the state (passed once for each) */
  HEED_AT_SAVE_READ_BACK,     /**< before it is read back and compared (likewise) */
  HEED_AT_SAVE_MANIFEST,      /**< MANIFEST written, not yet synced */
  HEED_AT_SAVE_MANIFEST_SYNC, /**< before fsync of MANIFEST */
  HEED_AT_SAVE_FOLDER_SYNC,   /**< before fsync of the temporary folder */
  HEED_AT_SAVE_AGREE,         /**< before the ranks agree */
  HEED_AT_SAVE_RENAME,        /**< before the folder gets its name */
  HEED_AT_SAVE_PARENT_SYNC,   /**< named, before fsync of checkpoints/ */
  HEED_AT_SAVE_RETIRE,        /**< committed, before an old checkpoint is renamed away (passed once for each) */
  HEED_AT_SAVE_UNLINK,        /**< renamed away, before its files are unlinked (likewise) */
  HEED_AT_LOAD_PIECE,         /**< before a piece of a tensor is read (passed many times) */
  HEED_AT_STORE_OPEN,         /**< every rank, when a run folder is taken: also where HEED_FAILPOINT is first read */
  HEED_AT_GRADIENTS,          /**< a step's gradients are worked out: `error` makes one of them not a number */
  HEED_AT_REPLICA,            /**< before ranks compare their copies of the parameters: `error` flips a bit of this one's */
  HEED_AT_SHARD,              /**< after a rank has remembered its shard: `error` flips a bit of it */
  HEED_AT_COPY,               /**< and its copy of the parameters: `error` flips a bit of that, of another rank's shard */
  HEED_AT_STEP_FORWARD,       /**< every rank, in a training step, before its first pass */
  HEED_FAILPOINT_COUNT
} heed_failpoint_place;

/** The name of each place, as HEED_FAILPOINT takes it. */
extern const char *const heed_failpoint_names[HEED_FAILPOINT_COUNT];

/** Passes a place.  Rank-local; one thread at a time.  Returns HEED_OK, or HEED_IO with a text when this passing is to fail. */
heed_status heed_failpoint(heed_failpoint_place place);

/** Arms one place from here on, in place of the environment's: the same text, or NULL for none.  A text that is not understood ends
 *  the program with HEED_USAGE, since a test that injects nothing proves nothing. */
void heed_failpoint_set(const char *text);

#endif
