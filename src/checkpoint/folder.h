/** One checkpoint folder, opened and validated; and the list of those in a run. */
#ifndef HEED_CHECKPOINT_FOLDER_H
#define HEED_CHECKPOINT_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/manifest.h"
#include "heed/status.h"

#define HEED_MANIFEST_FILE "MANIFEST"
#define HEED_CHECKPOINTS_FOLDER "checkpoints"
#define HEED_TRASH_PREFIX ".trash-"

enum { HEED_PIECE_BYTES = 4 << 20 }; /**< tensors are read, written and sent in pieces of at most this size */

/** An open checkpoint. */
typedef struct heed_folder {
  char *path; /**< in messages */
  heed_manifest manifest;
  int files[HEED_MAX_FILES]; /**< those of the state, open for reading */
  int open;                  /**< how many of them */
} heed_folder;

typedef enum heed_trust {
  HEED_TRUST_MANIFEST, /**< check the manifest and the size of each file only */
  HEED_TRUST_NOTHING   /**< also the checksum of each file and the place of each item in it */
} heed_trust;

/** Opens the checkpoint folder `name` of the open folder `parent` (AT_FDCWD for a path).  \param[in] follow  whether `name` may be a link.
 *  Errors: HEED_INVALID for whatever is not as it was written, HEED_IO when a read fails; nothing is left open then. */
heed_status heed_checkpoint_folder_open(heed_folder *folder, int parent, const char *name, const char *path, bool follow, heed_trust trust);
void heed_checkpoint_folder_close(heed_folder *folder);

/** Whether an open folder is a checkpoint, good or not: holds a manifest or a state. */
bool heed_checkpoint_is(int folder);

/** Opens the folder a user named.  \param[out] is_run  true for a run, false for one checkpoint.
 *  Errors: HEED_INVALID when it is neither. */
heed_status heed_checkpoint_named_open(const char *path, int *directory, bool *is_run);

/** Opens `checkpoints/` of an open run.  \param[out] shown  its path for messages, allocated. */
heed_status heed_checkpoints_open(int run, const char *path, int *checkpoints, char **shown);

/** Opens what a user named: a checkpoint, or a run, whose newest good checkpoint is taken. */
heed_status heed_checkpoint_folder_open_any(heed_folder *folder, const char *path);

/** Reads bytes of an item, from its byte `at` on.  Errors: HEED_IO; HEED_INVALID when its file ends before. */
heed_status heed_checkpoint_folder_read(const heed_folder *folder, const heed_item *item, void *data, size_t bytes, int64_t at);

/** Compares the bytes of each item with its checksum. */
heed_status heed_checkpoint_folder_check_items(const heed_folder *folder);

/** Reads a text item.  \param[out] text  allocated, NUL-terminated. */
heed_status heed_checkpoint_folder_text(const heed_folder *folder, const char *path, int64_t most, char **text);

/** "step-00000500" */
void heed_checkpoint_name(char name[32], int64_t step);

/** The step of a folder's name, −1 for any other name. */
int64_t heed_checkpoint_step(const char *name);

/** The path of a step's folder, allocated; NULL when memory is short. */
char *heed_checkpoint_path(const char *checkpoints, int64_t step);

/** The steps of the checkpoints in an open folder, newest first.  \param[out] steps  allocated. */
heed_status heed_checkpoint_steps(int checkpoints, const char *path, int64_t **steps, int64_t *count);

typedef struct heed_steps {
  int64_t *steps, count; /**< steps: allocated */
} heed_steps;

/** Opens the newest good checkpoint of the open folder `checkpoints`; bad ones are passed over with a warning that says why.
 *  \param[out] found  whether there is one.  \param[out] damaged  those passed over that are no good; NULL: not asked for.
 *  Errors: HEED_IO when there is none but some that could not be read just now, HEED_FAILED when memory or descriptors are short. */
heed_status heed_checkpoint_folder_open_newest(heed_folder *folder, int checkpoints, const char *path, bool *found, heed_steps *damaged);

#endif
