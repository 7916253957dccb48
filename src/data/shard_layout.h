/** Where the arrays of a shard lie in its file, and what its attributes say.  Of shard.c. */
#ifndef HEED_DATA_SHARD_LAYOUT_H
#define HEED_DATA_SHARD_LAYOUT_H

#include "data/shard.h"

typedef struct heed_shard_array {
  uint64_t offset; /**< first byte in the file */
  int64_t count;
  int width; /**< bytes an element */
} heed_shard_array;

typedef struct heed_shard_layout {
  heed_shard_array tokens, sentences, documents;
  int64_t format, vocabulary_size, token_count, sentence_count, document_count, cased;
  uint64_t vocabulary_hash, content_hash; /**< content_hash: from format 2 on */
  char tokenizer[HEED_TOKENIZER_NAME];
} heed_shard_layout;

/** Reads the layout of an open file of that size.  Every array lies within it.  \param[in] path  for messages.
 *  Errors: HEED_INVALID when it is not a shard, HEED_IO for a failed read. */
heed_status heed_shard_layout_read(heed_shard_layout *layout, int file, int64_t bytes, const char *path);

#endif
