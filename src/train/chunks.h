/** The chunks of the flat block, and which of them are this rank's.
 *
 *  Chunks are the units of norms and of work: HEED_CHUNK elements, restarting at each tensor.  A shard is a run of whole chunks in each
 *  bucket of the flat block. */
#ifndef HEED_TRAIN_CHUNKS_H
#define HEED_TRAIN_CHUNKS_H

#include "heed/communication.h"
#include "heed/parameters.h"

/** A chunk of this rank's shard. */
typedef struct heed_own_chunk {
  int64_t chunk; /**< its number */
  int64_t at;    /**< its first element's place in the shard */
} heed_own_chunk;

typedef struct heed_chunks {
  const heed_parameter_table *table;
  int64_t *starts; /**< [count + 1] first element of each chunk, and `total` */
  int64_t count;
  int32_t *tensor_of; /**< [count] */
  int64_t *edges;     /**< [buckets + 1] of the buckets that are summed at a time */
  int64_t buckets;
  heed_own_chunk *own; /**< [own_count] in the order of the flat block */
  int64_t own_count;
} heed_chunks;

/** Divides the parameters of a table, which is borrowed, into shards (communication->shard).  Collective.
 *  Errors: HEED_FAILED when memory is short; what was made is to be freed then too. */
heed_status heed_chunks_divide(heed_chunks *chunks, const heed_parameter_table *table, heed_communication *communication);
void heed_chunks_free(heed_chunks *chunks);

/** Floats of a chunk. */
static inline int64_t heed_chunk_floats(const heed_chunks *chunks, int64_t chunk) {
  return chunks->starts[chunk + 1] - chunks->starts[chunk];
}

/** The tensor that a chunk is of. */
static inline const heed_parameter *heed_chunk_tensor(const heed_chunks *chunks, int64_t chunk) {
  return &chunks->table->items[chunks->tensor_of[chunk]];
}

#endif
