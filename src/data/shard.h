/** A token shard, opened for reading: its arrays are contiguous in the HDF5 file and mapped, not read. */
#ifndef HEED_DATA_SHARD_H
#define HEED_DATA_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

typedef struct heed_shard {
  char *path;
  const void *tokens; /**< uint16_t or uint32_t [token_count] */
  bool wide;          /**< uint32_t */
  int64_t token_count;
  const int64_t *sentences; /**< [sentence_count + 1] first token of each sentence; the last entry is token_count */
  int64_t sentence_count;
  const int64_t *documents; /**< [document_count + 1] first sentence of each document; the last entry is sentence_count */
  int64_t document_count;
  uint64_t vocabulary_hash; /**< heed_tokenizer_hash of the vocabulary it was made with */
  bool cased;
  char tokenizer[16]; /**< wordpiece or bpe */
  void *mapping;      /**< the mapped file */
  size_t mapped_bytes;
} heed_shard;

/** Opens and checks a shard (every bound of reliability.md's "files from strangers").  Rank-local.
 *  Errors: HEED_INVALID with the reason for a file that is missing or is not a sound token shard; HEED_IO for a failed read. */
heed_status heed_shard_open(heed_shard *shard, const char *path);

static inline int32_t heed_shard_token(const heed_shard *shard, int64_t index) {
  return shard->wide ? (int32_t)((const uint32_t *)shard->tokens)[index] : (int32_t)((const uint16_t *)shard->tokens)[index];
}

void heed_shard_close(heed_shard *shard);

#endif
