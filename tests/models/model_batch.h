/** The batch that tests of whole models share: six ragged rows, with segments, targets and labels. */
#ifndef HEED_TESTS_MODELS_MODEL_BATCH_H
#define HEED_TESTS_MODELS_MODEL_BATCH_H

#include "heed/batch.h"
#include "test.h"

enum { SEQUENCES = 6, VOCABULARY = 50, POSITIONS = 16, TARGETS = 16 };
static const int64_t lengths[SEQUENCES] = {9, 16, 3, 12, 7, 16};

/** Rows [first, first + rows) of it, in `slices` slices. */
static inline heed_batch make_batch(int64_t first, int64_t rows, int64_t slices) {
  heed_batch batch;
  int64_t token = 0;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, slices, rows, rows * POSITIONS, rows * POSITIONS, true), HEED_OK);
  heed_stream *stream = &batch.stream;
  batch.slices = slices;
  batch.first_row = first;
  stream->sequences = rows;
  for (int64_t row = 0; row < SEQUENCES; row++) {
    for (int64_t t = 0; t < lengths[row]; t++, token++) {
      if (row < first || row >= first + rows)
        continue;
      stream->ids[stream->tokens] = (int32_t)(1 + (7 * token + 3) % (VOCABULARY - 1));
      stream->positions[stream->tokens] = (int32_t)t;
      stream->token_types[stream->tokens] = 2 * t >= lengths[row];
      stream->sequence_of[stream->tokens] = (int32_t)(row - first);
      if (token % 4 == 1) {
        batch.target_tokens[batch.targets] = stream->tokens;
        batch.target_ids[batch.targets++] = (int32_t)((11 * token + 5) % VOCABULARY);
      }
      stream->tokens++;
    }
    if (row < first || row >= first + rows)
      continue;
    int64_t b = row - first;
    batch.next_sentence[b] = (int32_t)(row % 2);
    stream->offsets[b + 1] = stream->tokens;
    if ((b + 1) % (rows / slices) == 0) {
      int64_t g = (b + 1) / (rows / slices);
      batch.slice_rows[g] = b + 1;
      batch.stream.slice_tokens[g] = stream->tokens;
      batch.slice_targets[g] = batch.targets;
    }
  }
  return batch;
}

#endif
