/** The bytes of a checkpoint's state, as one number. */
#ifndef HEED_TESTS_MPI_STATE_HASH_H
#define HEED_TESTS_MPI_STATE_HASH_H

#include <fcntl.h>
#include <stdint.h>

#include "checkpoint/file.h"
#include "test.h"

/** The hash of state.h5 in the checkpoint folder `path`. */
static inline uint64_t state_hash(const char *path) {
  int directory, file;
  int64_t bytes;
  uint64_t hash = 0;
  CU_ASSERT_EQUAL_FATAL(heed_folder_open(AT_FDCWD, path, path, false, &directory), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_file_open(directory, "state.h5", false, &file, &bytes), HEED_OK);
  CU_ASSERT_EQUAL(heed_file_hash(file, "state.h5", 0, bytes, &hash), HEED_OK);
  CU_ASSERT_EQUAL(heed_file_close(&file, "state.h5"), HEED_OK);
  CU_ASSERT_EQUAL(heed_file_close(&directory, path), HEED_OK);
  return hash;
}

#endif
