/** MANIFEST: what a checkpoint holds, as text, with a checksum of everything and of itself.
 *
 *      heed-checkpoint 2
 *      step 500
 *      …
 *      content 55d1…                              hash of the training data, if it is known
 *      file 44683392 0f5cd9…                      state.h5: bytes, checksum; what follows is in it, up to the next (state-1.h5 …)
 *      item text 91be… 1204 /config               type, checksum, shape, path inside its file
 *      item float32 5be0… 30522x256 /parameters/bert.embeddings.word_embeddings.weight
 *      manifest 77aa…                             checksum of all lines above
 *
 *  Checksums are XXH3, 64 bits, of the stored little-endian bytes. */
#ifndef HEED_CHECKPOINT_MANIFEST_H
#define HEED_CHECKPOINT_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include "heed/checkpoint.h"

enum {
  HEED_FORMAT_VERSION = 2,            /**< of what has a hash of data, or several files; without either it is 1 */
  HEED_MAX_PATH = HEED_MAX_NAME + 64, /**< /optimizer/MOMENT/NAME */
  HEED_MAX_ITEMS = (1 + HEED_MAX_MOMENTS) * HEED_MAX_PARAMETERS + 2,
  HEED_MAX_FILES = 256,
  HEED_MAX_CONFIG = 1 << 20,
  HEED_MAX_VOCABULARY = 64 << 20,
  HEED_MAX_MANIFEST = 64 << 20
};

typedef enum heed_item_type { HEED_ITEM_FLOAT32, HEED_ITEM_TEXT } heed_item_type;

/** A dataset of the state.  A text has one dimension here, its bytes. */
typedef struct heed_item {
  char path[HEED_MAX_PATH];
  heed_item_type type;
  int rank;
  int64_t shape[HEED_MAX_RANK];
  int64_t bytes;
  uint64_t checksum;
  int file;       /**< which of the files it is in */
  int64_t offset; /**< of its first byte there; 0 until known: it is the file that knows, not the manifest */
} heed_item;

/** A file of the state: it has the items [first, end). */
typedef struct heed_manifest_file {
  int64_t bytes;
  uint64_t checksum;
  int64_t first, end;
} heed_manifest_file;

typedef struct heed_manifest {
  heed_checkpoint_info info; /**< without config and vocabulary, which are items */
  heed_manifest_file files[HEED_MAX_FILES];
  int file_count;
  heed_item *items;
  int64_t count, capacity;
  int64_t spent;    /**< effort on the structure of its files */
  int32_t *by_path; /**< [count] the items in the order of their paths, of a manifest that was read */
} heed_manifest;

/** Begins the next file, in which the items are that are added from here on.  Errors: HEED_INVALID for one too many. */
heed_status heed_manifest_add_file(heed_manifest *manifest);

/** Adds an item to the last file; `bytes` is worked out from type and shape.
 *  Errors: HEED_INVALID for a path or a shape that no checkpoint can have. */
heed_status heed_manifest_add(heed_manifest *manifest, const heed_item *item);

/** The item of that path in a manifest that was read, or NULL.
 *  \param[in,out] hint  where to look first; moved on, so that asking in order is linear. */
const heed_item *heed_manifest_find(const heed_manifest *manifest, const char *path, int64_t *hint);

/** The version of the format that it has. */
int heed_manifest_version(const heed_manifest *manifest);

/** The bytes of all files. */
int64_t heed_manifest_bytes(const heed_manifest *manifest);

/** The manifest as text.  \param[out] text  allocated. */
heed_status heed_manifest_print(const heed_manifest *manifest, char **text, size_t *bytes);

/** Reads what heed_manifest_print wrote; `text` is changed while being read and needs a NUL at [bytes].
 *  Errors: HEED_INVALID with the line, or the path that is listed twice. */
heed_status heed_manifest_parse(heed_manifest *manifest, char *text, size_t bytes);

void heed_manifest_free(heed_manifest *manifest);

#endif
