#include "evaluate/sequence.h"

#include <stdlib.h>
#include <string.h>

heed_status heed_sequence_create(heed_sequence *sequence, const heed_config *config, const heed_tokenizer *tokenizer, const char *name) {
  int64_t most = config->model.max_positions;
  *sequence = (heed_sequence){.most = most, .framed = config->objective.predict == HEED_PREDICT_MASKED};
  if (sequence->framed && heed_tokenizer_special(tokenizer)->mask < 0)
    return heed_error(HEED_INVALID, "%s: its vocabulary (%s) has no [CLS], [SEP] and [MASK], between which a text stands for its model",
                      name, heed_tokenizer_kind_name(tokenizer));
  return heed_batch_create(&sequence->batch, 1, 1, most, most, false);
}

void heed_sequence_free(heed_sequence *sequence) {
  heed_batch_free(&sequence->batch);
  free(sequence->ids);
}

/* Nothing where even the frame does not fit. */
static void put(heed_sequence *sequence, int32_t id, int32_t type) {
  heed_stream *stream = &sequence->batch.stream;
  if (stream->tokens >= sequence->most)
    return;
  stream->ids[stream->tokens] = id;
  stream->token_types[stream->tokens] = type;
  stream->positions[stream->tokens] = (int32_t)stream->tokens;
  stream->tokens++;
}

/* As many of the text's tokens as leave room for `behind` more. */
static heed_status put_text(heed_sequence *sequence, const heed_tokenizer *tokenizer, const char *text, int32_t type, int64_t behind,
                            int64_t *wanted) {
  heed_stream *stream = &sequence->batch.stream;
  int64_t count;
  HEED_TRY(heed_tokenizer_encode(tokenizer, text, strlen(text), &sequence->ids, &sequence->capacity, &count));
  *wanted += count;
  for (int64_t i = 0; i < count && stream->tokens + behind < sequence->most; i++)
    put(sequence, sequence->ids[i], type);
  return HEED_OK;
}

heed_status heed_sequence_set(heed_sequence *sequence, const heed_tokenizer *tokenizer, const char *text, const char *second,
                              int64_t *wanted) {
  const heed_special_tokens *special = heed_tokenizer_special(tokenizer);
  heed_batch *batch = &sequence->batch;
  heed_stream *stream = &batch->stream;
  bool framed = sequence->framed;
  int64_t ends = framed ? 1 + (second != NULL) : 0; /* [SEP]s */
  stream->tokens = 0;
  *wanted = framed + ends;
  if (framed)
    put(sequence, special->classify, 0);
  HEED_TRY(put_text(sequence, tokenizer, text, 0, ends, wanted));
  if (framed)
    put(sequence, special->separate, 0);
  if (second)
    HEED_TRY(put_text(sequence, tokenizer, second, 1, ends / 2, wanted));
  if (second && framed)
    put(sequence, special->separate, 1);
  if (stream->tokens == 0) /* a new text begins so */
    put(sequence, special->separate, 0);
  stream->sequences = 1;
  stream->offsets[1] = stream->tokens;
  batch->slices = 1;
  batch->slice_rows[1] = 1;
  batch->stream.slice_tokens[1] = stream->tokens;
  batch->targets = 0;
  for (int64_t t = 0; t < stream->tokens; t++)
    if (stream->ids[t] == special->mask)
      batch->target_tokens[batch->targets++] = t;
  batch->slice_targets[1] = batch->targets;
  return HEED_OK;
}

heed_status heed_sequence_check(const heed_sequence *sequence, int64_t wanted) {
  if (wanted <= sequence->most)
    return HEED_OK;
  return heed_error(HEED_INVALID, "the text has %lld tokens%s; the model takes %lld: shorten it", (long long)wanted,
                    sequence->framed ? ", [CLS] and [SEP] included" : "", (long long)sequence->most);
}

void heed_sequence_target(heed_sequence *sequence, int64_t first, int64_t end) {
  heed_batch *batch = &sequence->batch;
  for (batch->targets = 0; first + batch->targets < end; batch->targets++)
    batch->target_tokens[batch->targets] = first + batch->targets;
  batch->slice_targets[1] = batch->targets;
}
