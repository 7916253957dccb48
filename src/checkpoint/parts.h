/** Tensors between rank 0, which has the file, and the ranks that hold parts and shards of them: piece by piece of the whole tensors. */
#ifndef HEED_CHECKPOINT_PARTS_H
#define HEED_CHECKPOINT_PARTS_H

#include "heed/checkpoint.h"

/** A piece of a whole tensor, of HEED_PIECE_BYTES at most. */
typedef struct heed_piece {
  int64_t parameter;  /**< its index in the table */
  int64_t first, end; /**< of the tensor's elements */
} heed_piece;

/** The next piece, tensor after tensor: begin with zeros.  False at the end of the table. */
bool heed_piece_next(const heed_parameter_table *table, heed_piece *piece);

/** Whether a tensor ends with this piece. */
bool heed_piece_is_last(const heed_parameter_table *table, const heed_piece *piece);

typedef struct heed_parts {
  heed_communication *communication; /**< the world */
  const heed_checkpoint_tensors *tensors;
  float *whole; /**< a piece */
  float *part;  /**< what a part of the tensor has of it */
} heed_parts;

/** Checks what a caller gave.  Rank-local.  Errors: HEED_INVALID, HEED_FAILED when memory is short. */
heed_status heed_parts_open(heed_parts *parts, const heed_checkpoint_tensors *tensors, heed_communication *communication);
void heed_parts_close(heed_parts *parts);

/** Brings a piece to rank 0, which gets its values until the next call; on the others what is returned has no meaning.  Collective.
 *  \param[in] block  0 for the parameters, b > 0 for moment b − 1 */
const float *heed_parts_gather(heed_parts *parts, int block, const heed_piece *piece);

/** Where each rank is to receive a piece, on rank 0 where it is to be read: its place in the block, or one on the way there. */
float *heed_parts_place(heed_parts *parts, int block, const heed_piece *piece);

/** Keeps what this rank holds of the piece that was received there.  Rank-local. */
void heed_parts_keep(heed_parts *parts, int block, const heed_piece *piece);

#endif
