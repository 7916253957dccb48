/** state.h5: its structure, made and checked through HDF5.  The bytes of tensors and texts are at each item's offset. */
#ifndef HEED_CHECKPOINT_STATE_H
#define HEED_CHECKPOINT_STATE_H

#include "checkpoint/manifest.h"

#define HEED_STATE_FILE "state.h5"

/** Writes the structure of all items and the attributes of info into the empty open file and reserves its full size.
 *  \param[in,out] manifest  each item's offset and file_bytes are set.  Errors: HEED_IO. */
heed_status heed_state_create(int file, heed_manifest *manifest);

/** Checks that the open file holds each item of the manifest as a plain contiguous dataset of that type and shape, and nothing that
 *  reads elsewhere: no links but hard ones, no external or virtual storage, no filters, no types of variable length, no user block.
 *  Size and checksum are to be checked before, so that HDF5 parses only what was written whole.
 *  \param[in,out] manifest  each item's offset is set; one that is set already must be confirmed.  Errors: HEED_INVALID. */
heed_status heed_state_check(int file, heed_manifest *manifest);

#endif
