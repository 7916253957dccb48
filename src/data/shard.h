/** A token shard, opened for reading: its arrays are contiguous in the HDF5 file and mapped, not read.
 *
 *  The file, format 2.  Datasets of the root, contiguous, no filters, little-endian, aligned to 8 bytes:
 *    /tokens     uint16 (vocabularies of at most 65,536 entries) or uint32 [token_count]
 *    /sentences  int64 [sentence_count + 1]  first token of each sentence, ascending; the last entry is token_count
 *    /documents  int64 [document_count + 1]  first sentence of each document, ascending; the last entry is sentence_count
 *  Attributes of the root: format_version, vocabulary_size, token_count, sentence_count, document_count, source_count, cased (0 or 1;
 *  int64), vocabulary_hash (uint64), tokenizer (string), source_hashes (uint64, XXH3 of each input file in order; of more than 4,096
 *  files one hash of all their hashes), content_hash (uint64, XXH3 of the XXH3 of /sentences, of /documents and of /tokens).  Format 1 has
 *  no content_hash: a flipped bit that leaves a possible token is not seen in it. */
#ifndef HEED_DATA_SHARD_H
#define HEED_DATA_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

enum { HEED_SHARD_FORMAT = 2, HEED_SHARD_HASHED = 2, HEED_SHARD_WIDE_FROM = 65536, HEED_TOKENIZER_NAME = 16 };

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
  int64_t vocabulary_size;  /**< every token is below it */
  bool cased;
  char tokenizer[HEED_TOKENIZER_NAME]; /**< wordpiece or bpe */
  uint64_t content_hash;               /**< of all offsets and tokens, as they are: the same wherever the shard lies */
  const void *mapping;                 /**< the mapped file */
  size_t mapped_bytes;
} heed_shard;

/** Opens and checks a shard: structure (by base/hdf5_reader.h, since the HDF5 library may not survive a stranger's file), types,
 *  attributes, every offset, every token, and the hash of them all; the arrays are then mapped, read-only.  A file that is cut short while
 *  it is mapped ends the process (base/mapping.h), and so does one that is written to, once that is seen (heed_shard_look).  Rank-local.
 *  Errors: HEED_INVALID with the reason for a file that is missing or is not a sound token shard; HEED_IO for a failed read. */
heed_status heed_shard_open(heed_shard *shard, const char *path);

/** The hash of a shard's content, of the XXH3 of each array's bytes. */
uint64_t heed_shard_content_hash(uint64_t sentences, uint64_t documents, uint64_t tokens);

static inline int32_t heed_shard_token(const heed_shard *shard, int64_t index) {
  return shard->wide ? (int32_t)((const uint32_t *)shard->tokens)[index] : (int32_t)((const uint16_t *)shard->tokens)[index];
}

/** Ends the process, and names the file, for a shard whose content is not what was checked when it was opened. */
_Noreturn void heed_shard_changed(const heed_shard *shard);

/** The same if the file of a shard was written to since. */
void heed_shard_look(const heed_shard *shard);

void heed_shard_close(heed_shard *shard);

#endif
