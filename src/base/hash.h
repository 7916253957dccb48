/** Checksums of files, tensors and settings: XXH3, 64 bits (xxHash). */
#ifndef HEED_BASE_HASH_H
#define HEED_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

/** The hash of `bytes` bytes. */
uint64_t heed_hash(const void *data, size_t bytes);

/** A hash for a table in memory.  With a seed that a stranger cannot know, he cannot choose strings that meet in the table. */
uint64_t heed_hash_seeded(const void *data, size_t bytes, uint64_t seed);

/** A hash of several pieces: begin, add each, end. */
typedef struct heed_hasher heed_hasher;
heed_status heed_hasher_begin(heed_hasher **hasher);
void heed_hasher_add(heed_hasher *hasher, const void *data, size_t bytes);
uint64_t heed_hasher_end(heed_hasher *hasher); /**< gives the hash and frees the hasher */

/** The hash of a file's content.  Errors: HEED_INVALID when it cannot be opened, HEED_IO when a read fails. */
heed_status heed_hash_file(const char *path, uint64_t *hash);

#endif
