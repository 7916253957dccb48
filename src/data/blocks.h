/** Samples for predicting the next token: the documents of all shards, one behind the other with the separator before each and one more
 *  at the end, are one stream of tokens; a sample is a block of it, and each of its tokens has the stream's next one as target.
 *
 *  So every token of the data is a target once an epoch, and so is the end of every document.  The last block may be shorter.
 *  Source: Radford et al. 2019, who join documents with <|endoftext|>. */
#ifndef HEED_DATA_BLOCKS_H
#define HEED_DATA_BLOCKS_H

#include "data/shard.h"

typedef struct heed_blocks {
  const heed_shard *shards;
  int64_t shard_count;
  int64_t *starts; /* [shard_count + 1] place in the stream where each shard begins; the last: of the separator at the end */
  int64_t length;  /* tokens of a block */
  int64_t samples;
  int32_t separator;
} heed_blocks;

/** `shards` are borrowed.  Errors: HEED_INVALID for shards without text; HEED_FAILED when memory is short. */
heed_status heed_blocks_create(heed_blocks *blocks, const heed_shard *shards, int64_t count, int64_t length, int32_t separator);
void heed_blocks_free(heed_blocks *blocks);

/** Lays out a sample: its tokens in ids, the next one of each in next_ids, both with room for `length`.  Returns their number. */
int64_t heed_blocks_read(const heed_blocks *blocks, int64_t sample, int32_t *ids, int32_t *next_ids);

#endif
