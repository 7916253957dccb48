/** One save, step by step, for the files of this room that save.  The protocol is in commit.c. */
#ifndef HEED_CHECKPOINT_SAVE_H
#define HEED_CHECKPOINT_SAVE_H

#include "base/hash.h"
#include "checkpoint/manifest.h"
#include "checkpoint/parts.h"
#include "checkpoint/state_write.h"
#include "checkpoint/store.h"

enum { HEED_SAVE_NAME = 256 };

/** Given: store, info, tensors, name, replace; folder −1. */
typedef struct heed_save {
  heed_checkpoint_store *store;
  heed_checkpoint_info info; /**< its texts are borrowed */
  const heed_checkpoint_tensors *tensors;
  const char *name;
  bool replace; /**< whether a folder of that name gives way */

  heed_manifest manifest; /**< rank 0: texts, then block after block in the order of the table */
  char temporary[HEED_SAVE_NAME], displaced[HEED_SAVE_NAME];
  bool made, named;         /**< the temporary folder is there; it has got its name */
  int folder;               /**< the temporary one */
  heed_state_writer *files; /**< rank 0: those of the manifest */
  heed_parts parts;
  heed_hasher *hasher; /**< rank 0: of the tensor being written */
} heed_save;

/** Checks what was given.  Collective. */
heed_status heed_save_begin(heed_save *save);

/** Whether what has been gathered is sound (tensors->are_sound).  Collective.  Errors: that one's. */
heed_status heed_save_is_sound(const heed_save *save);

/* On rank 0: 1 of the protocol; then of 2 all pieces in order, block after block; 3 and 4; 5. */
heed_status heed_save_prepare(heed_save *save);
heed_status heed_save_write(heed_save *save, int block, const heed_piece *piece, const float *values);
heed_status heed_save_seal(heed_save *save);
heed_status heed_save_publish(heed_save *save);

/** Releases what the save holds; on failure rank 0 takes back what it made.  Keeps the error text.  Rank-local. */
void heed_save_end(heed_save *save, heed_status status);

/** Says which save it was that failed. */
heed_status heed_save_failed(const heed_save *save, heed_status status);

#endif
