/** An HDF5 driver whose calls do not fail where HDF5 cannot bear it.
 *
 *  HDF5 1.10 crashes at the end of the program when a write or a close below H5Fclose has failed (a full disk is enough).  So it is
 *  never given a file to write: it writes headers and groups into an image in memory, while tensors only get their places; image and
 *  tensors are then written by us (state_write.c), with calls whose failures can be told. */
#ifndef HEED_CHECKPOINT_IMAGE_H
#define HEED_CHECKPOINT_IMAGE_H

#include <hdf5.h>
#include <stdint.h>

#include "heed/status.h"

typedef struct heed_image {
  int64_t bytes;      /**< size of the file: set when HDF5 closes it */
  void *pages;        /**< what was written, a tree of tsearch's */
  heed_status status; /**< of pages that memory was short for, with its error text */
} heed_image;

/** A file-access property list that leads H5Fcreate to `image`, which must outlive the file.  Negative on failure. */
hid_t heed_image_access(heed_image *image);

/** The image's bytes from `offset` on, with zeros where HDF5 wrote nothing.  \param[in] offset  a multiple of 4 KiB */
void heed_image_read(const heed_image *image, int64_t offset, size_t bytes, char *to);

void heed_image_free(heed_image *image);

#endif
