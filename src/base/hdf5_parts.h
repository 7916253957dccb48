/** Private to hdf5_reader.c and hdf5_object.c: the bytes of the file, and the object headers in it. */
#ifndef HEED_BASE_HDF5_PARTS_H
#define HEED_BASE_HDF5_PARTS_H

#include <stdbool.h>

#include "base/hdf5_reader.h"

enum { HEED_HDF5_PAGE = 4096, HEED_HDF5_PAGES = 64 };
#define HEED_HDF5_NOWHERE UINT64_MAX

struct heed_hdf5 {
  int file;
  const char *name;
  uint64_t bytes;
  uint64_t root;                          /* header of the root group */
  int64_t *spent, alone;                  /* effort, which grows with each access; `alone`: of this file, where it belongs to no others */
  uint64_t group;                         /* header of the group looked into last */
  char group_path[HEED_HDF5_MAX_GROUP];   /* its path, "" for the root */
  uint64_t page_numbers[HEED_HDF5_PAGES]; /* + 1; 0: no page there */
  unsigned char pages[HEED_HDF5_PAGES][HEED_HDF5_PAGE];
};

/** Copies bytes of the file.  Errors: HEED_INVALID beyond its end or when it has led us about for too long, HEED_IO. */
heed_status heed_hdf5_get(heed_hdf5 *hdf5, uint64_t at, void *to, size_t bytes);

static inline uint64_t heed_hdf5_number(const unsigned char *at, int bytes) {
  uint64_t value = 0;
  while (bytes > 0)
    value = value << 8 | at[--bytes];
  return value;
}

/** Where a group's links are. */
typedef struct heed_hdf5_links {
  uint64_t tree, heap;
} heed_hdf5_links;

/** Reads the header at `at` as that of a group, or of a dataset.  \param[in] what  its path, for messages. */
heed_status heed_hdf5_read_group(heed_hdf5 *hdf5, uint64_t at, const char *what, heed_hdf5_links *links);
heed_status heed_hdf5_read_dataset(heed_hdf5 *hdf5, uint64_t at, const char *what, heed_hdf5_dataset *dataset);

#endif
