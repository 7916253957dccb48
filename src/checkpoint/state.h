/** The files of a state, which are HDF5: their names, and the check of their structure.  The bytes of tensors and texts are at each item's
 *  offset. */
#ifndef HEED_CHECKPOINT_STATE_H
#define HEED_CHECKPOINT_STATE_H

#include "checkpoint/manifest.h"

#define HEED_STATE_FILE "state.h5"
enum { HEED_STATE_NAME = 24 };

/** "state.h5", "state-1.h5", … */
void heed_state_name(char name[HEED_STATE_NAME], int index);

/** Says that an item is not as it was written.  Returns HEED_INVALID. */
heed_status heed_state_damaged(const heed_item *item);

/** Checks that the open file holds each of its items in the manifest as a plain contiguous dataset of that type and shape, and nothing that
 *  reads elsewhere: no links but hard ones, no external or virtual storage, no filters, no types of variable length, no user block.
 *  Its size is to be checked before.
 *  \param[in,out] manifest  each item's offset is set; one that is set already must be confirmed.  Errors: HEED_INVALID. */
heed_status heed_state_check(int file, heed_manifest *manifest, int index);

#endif
