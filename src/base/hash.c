#include "base/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t heed_hash(const void *data, size_t bytes) {
  return XXH3_64bits(data, bytes);
}

uint64_t heed_hash_seeded(const void *data, size_t bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(data, bytes, seed);
}

heed_status heed_hasher_begin(heed_hasher **hasher) {
  XXH3_state_t *state = XXH3_createState();
  if (!state)
    return heed_error(HEED_FAILED, "out of memory for a checksum");
  XXH3_64bits_reset(state);
  *hasher = (heed_hasher *)state;
  return HEED_OK;
}

void heed_hasher_add(heed_hasher *hasher, const void *data, size_t bytes) {
  XXH3_64bits_update((XXH3_state_t *)hasher, data, bytes);
}

uint64_t heed_hasher_end(heed_hasher *hasher) {
  uint64_t hash = XXH3_64bits_digest((XXH3_state_t *)hasher);
  XXH3_freeState((XXH3_state_t *)hasher);
  return hash;
}

heed_status heed_hash_file(const char *path, uint64_t *hash) {
  char block[65536];
  size_t bytes;
  heed_hasher *hasher;
  FILE *file = fopen(path, "rb");
  if (!file)
    return heed_error(HEED_INVALID, "%s: %s", path, strerror(errno));
  heed_status status = heed_hasher_begin(&hasher);
  if (status == HEED_OK) {
    while ((bytes = fread(block, 1, sizeof block, file)) > 0)
      heed_hasher_add(hasher, block, bytes);
    if (ferror(file)) /* a folder opens, and fails here */
      status = heed_error(errno == EISDIR ? HEED_INVALID : HEED_IO, "%s: could not be read: %s", path, strerror(errno));
    *hash = heed_hasher_end(hasher);
  }
  fclose(file);
  return status;
}
