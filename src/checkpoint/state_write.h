/** The files of a state on their way to the disk and back: HDF5 makes their structure in memory, and tensors and texts are laid over it. */
#ifndef HEED_CHECKPOINT_STATE_WRITE_H
#define HEED_CHECKPOINT_STATE_WRITE_H

#include "base/hash.h"
#include "checkpoint/image.h"
#include "checkpoint/state.h"

/** Makes the structure of one file in memory: its items, each behind the one before, and the attributes of info.
 *  \param[in,out] manifest  each item's offset and the file's bytes are set.  Errors: HEED_IO; HEED_FAILED when memory is short. */
heed_status heed_state_lay_out(heed_image *image, heed_manifest *manifest, int index);

/** A file on its way to the disk, written once from its first byte to its last. */
typedef struct heed_state_writer {
  int file; /**< −1: none */
  char name[HEED_STATE_NAME];
  int64_t bytes;
  heed_image image;    /**< its structure: what is between the items */
  char *window;        /**< what comes next, or NULL */
  int64_t start;       /**< where that begins */
  heed_hasher *hasher; /**< of all before it */
} heed_state_writer;

/** Makes the file in the open folder and takes its space on the disk.  The offsets of its items are known then.
 *  Errors: HEED_IO; HEED_FAILED when memory is short. */
heed_status heed_state_create(heed_state_writer *writer, int folder, heed_manifest *manifest, int index);

/** Lays bytes of an item over the structure: item by item, each from its first byte to its last.  Errors: as above. */
heed_status heed_state_put(heed_state_writer *writer, const void *data, size_t bytes, int64_t offset);

/** Behind the last item: writes what is left.  \param[out] checksum  of the file as it was in memory.  Errors: as above. */
heed_status heed_state_complete(heed_state_writer *writer, uint64_t *checksum);

/** Reads the file back from the disk.  Errors: HEED_INVALID when it, or one of its items, has another checksum than the manifest says;
 *  HEED_IO; HEED_FAILED when memory is short. */
heed_status heed_state_read_back(const heed_state_writer *writer, const heed_manifest *manifest, int index);

/** Frees it, and closes the file if it is open. */
void heed_state_drop(heed_state_writer *writer);

#endif
