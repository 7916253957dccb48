#include "heed/batch.h"

#include <stdlib.h>

heed_status heed_batch_create(heed_batch *batch, int64_t slices, int64_t sequences, int64_t tokens, int64_t targets, bool next_sentence) {
  *batch = (heed_batch){0};
  size_t g = (size_t)slices + 1, b = (size_t)sequences + 1, t = (size_t)tokens + 1, m = (size_t)targets + 1;
  heed_stream *stream = &batch->stream;
  bool have =
      (stream->ids = calloc(t, sizeof *stream->ids)) && (stream->positions = calloc(t, sizeof *stream->positions)) &&
      (stream->token_types = calloc(t, sizeof *stream->token_types)) && (stream->sequence_of = calloc(t, sizeof *stream->sequence_of)) &&
      (stream->offsets = calloc(b, sizeof *stream->offsets)) && (batch->slice_rows = calloc(g, sizeof *batch->slice_rows)) &&
      (batch->stream.slice_tokens = calloc(g, sizeof *batch->stream.slice_tokens)) &&
      (batch->slice_targets = calloc(g, sizeof *batch->slice_targets)) &&
      (batch->target_tokens = calloc(m, sizeof *batch->target_tokens)) && (batch->target_ids = calloc(m, sizeof *batch->target_ids)) &&
      (batch->target_is_mask = calloc(m, sizeof *batch->target_is_mask)) &&
      (!next_sentence || (batch->next_sentence = calloc(b, sizeof *batch->next_sentence)));
  if (have)
    return HEED_OK;
  heed_batch_free(batch);
  return heed_error(HEED_FAILED, "out of memory for a batch of %lld tokens", (long long)tokens);
}

size_t heed_batch_bytes(int64_t slices, int64_t sequences, int64_t tokens, int64_t targets) {
  const heed_batch *b = NULL;
  const heed_stream *s = NULL;
  size_t token = sizeof *s->ids + sizeof *s->positions + sizeof *s->token_types + sizeof *s->sequence_of;
  size_t target = sizeof *b->target_tokens + sizeof *b->target_ids + sizeof *b->target_is_mask;
  return (size_t)tokens * token + (size_t)targets * target + (size_t)sequences * (sizeof *s->offsets + sizeof *b->next_sentence) +
         (size_t)slices * 3 * sizeof *b->slice_rows;
}

void heed_batch_free(heed_batch *batch) {
  heed_stream *stream = &batch->stream;
  void *parts[] = {stream->ids,          stream->positions, stream->token_types,        stream->sequence_of,
                   stream->offsets,      batch->slice_rows, batch->stream.slice_tokens, batch->slice_targets,
                   batch->target_tokens, batch->target_ids, batch->target_is_mask,      batch->next_sentence};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    free(parts[i]);
  *batch = (heed_batch){0};
}
