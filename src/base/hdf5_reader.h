/** Where things lie in an HDF5 file: a reader of our own for the files that Heed writes, because strangers write them too.
 *
 *  The HDF5 library trusts a file's structure more than a stranger's file deserves: 1.10 crashes on some damaged ones, and will open
 *  other files, plug-ins and decompressors for a file's sake.  Heed needs little of the format (plain contiguous datasets and scalar
 *  attributes), so it never gives the library a file to read.  This reader follows hard links by known names only, takes numbers and
 *  texts as they lie, opens nothing, and is bounded in memory (some 260 KiB) and in steps, so that a structure that leads in circles
 *  ends.  Whatever it does not know it refuses, above all groups and headers of the newer layout, which Heed does not write.
 *
 *  Source: HDF5 File Format Specification, version 3.0: superblock 0 (II.A), version-1 B-trees (III.A.1), symbol tables (III.B, III.C),
 *  local heaps (III.D), version-1 object headers (IV.A.1.a) and their messages (IV.A.2). */
#ifndef HEED_BASE_HDF5_READER_H
#define HEED_BASE_HDF5_READER_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

enum { HEED_HDF5_MAX_RANK = 4, HEED_HDF5_MAX_GROUP = 512 };

/** Types that Heed writes; all numbers little-endian. */
typedef enum heed_hdf5_type {
  HEED_HDF5_OTHER,
  HEED_HDF5_UINT16,
  HEED_HDF5_UINT32,
  HEED_HDF5_INT64,
  HEED_HDF5_UINT64,
  HEED_HDF5_FLOAT32,
  HEED_HDF5_TEXT /**< of a fixed number of bytes */
} heed_hdf5_type;

/** A plain contiguous dataset that lies within the file. */
typedef struct heed_hdf5_dataset {
  heed_hdf5_type type;
  uint32_t width; /**< bytes an element */
  int rank;       /**< 0 for a single element */
  int64_t shape[HEED_HDF5_MAX_RANK];
  int64_t count;         /**< product of shape */
  int64_t offset, bytes; /**< in the file */
} heed_hdf5_dataset;

typedef struct heed_hdf5 heed_hdf5;

/** Takes an open file, which stays the caller's, and checks that it begins as an HDF5 file of Heed's does.
 *  \param[in,out] spent  effort so far on the files that belong together, of which the limit is one; 0 at first.  NULL: it is alone
 *  Errors: HEED_INVALID for another or a cut file, HEED_IO for a failed read, HEED_FAILED when memory is short. */
heed_status heed_hdf5_open(heed_hdf5 **hdf5, int file, const char *name, int64_t bytes, int64_t *spent);
void heed_hdf5_close(heed_hdf5 *hdf5);

/** Finds a dataset by its path, "/group/name".  Errors: HEED_INVALID with the path and why it is none that Heed reads; HEED_IO. */
heed_status heed_hdf5_find(heed_hdf5 *hdf5, const char *path, heed_hdf5_dataset *dataset);

/** Reads an attribute of the root group: a single number of this type, or a text, cut to `bytes` − 1.
 *  \param[out] value  [bytes], of a number just its width.  Errors: HEED_INVALID, HEED_IO. */
heed_status heed_hdf5_attribute(heed_hdf5 *hdf5, const char *name, heed_hdf5_type type, void *value, size_t bytes);

#endif
