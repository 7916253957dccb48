/** A ragged batch: what the data rooms make and the models read.  There is no padding anywhere; only attention looks at offsets. */
#ifndef HEED_BATCH_H
#define HEED_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

/** B sequences laid one behind the other: sequence b is tokens [offsets[b], offsets[b + 1]). */
typedef struct heed_stream {
  int64_t sequences;     /**< B */
  int64_t tokens;        /**< T = offsets[B] */
  int32_t *ids;          /**< [T] */
  int32_t *positions;    /**< [T] place within its sequence */
  int32_t *token_types;  /**< [T] segment: 0 or 1 */
  int32_t *sequence_of;  /**< [T] b of each token */
  int64_t *offsets;      /**< [B + 1] */
  int64_t *slice_tokens; /**< [slices + 1] first token of each slice of the batch */
} heed_stream;

/** The rows of one step that one rank computes, cut into slices.
 *
 *  Slices are the units of summation: rows [slice_rows[g], slice_rows[g + 1]).  Their content depends on the seed and the data
 *  position alone, never on the number of ranks. */
typedef struct heed_batch {
  heed_stream stream;
  int64_t slices;      /**< slices on this rank */
  int64_t *slice_rows; /**< [slices + 1] first sequence of each slice */

  int64_t targets;        /**< M, masked positions, in the order of tokens */
  int64_t *target_tokens; /**< [M] index into the stream */
  int32_t *target_ids;    /**< [M] the token to predict */
  bool *target_is_mask;   /**< [M] whether the model sees [MASK] there (not a kept or a random token) */
  int64_t *slice_targets; /**< [slices + 1] first target of each slice */

  int32_t *next_sentence; /**< [B] 1 = random second segment, 0 = the real one; NULL when the objective has no such task */

  uint32_t data_position; /**< number of the global batch since the start of the run: names the step's randomness */
  int64_t first_row;      /**< row of the global batch that is sequence 0 here */
  int64_t step_targets;   /**< targets of all this rank's slices of the step, also of those that come in other passes (set by the reader) */
} heed_batch;

/** Allocates a batch for at most so many of each.  Errors: HEED_FAILED when memory is short. */
heed_status heed_batch_create(heed_batch *batch, int64_t slices, int64_t sequences, int64_t tokens, int64_t targets, bool next_sentence);
void heed_batch_free(heed_batch *batch);

/** Bytes of such a batch. */
size_t heed_batch_bytes(int64_t slices, int64_t sequences, int64_t tokens, int64_t targets);

#endif
