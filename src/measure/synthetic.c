#include "measure/synthetic.h"

#include <stdlib.h>

#include "data/masking.h"
#include "heed/random.h"

int64_t heed_synthetic_targets(const heed_config *config, int64_t length) {
  if (config->objective.predict == HEED_PREDICT_NEXT_TOKEN)
    return length;
  heed_mask_rule rule = {.probability = config->objective.mask_probability, .max_predictions = config->objective.max_predictions};
  return heed_mask_count(&rule, length);
}

static int64_t length_of(const heed_config *config, heed_lengths lengths, int64_t row) {
  return lengths.count > 0 ? lengths.values[row % lengths.count] : config->train.sequence_length;
}

/* A token for place `t` of a row of the global batch: `use` parts inputs from targets. */
static int32_t token(const heed_config *config, int64_t row, int64_t t, uint32_t use) {
  heed_random4 draw = heed_philox((uint32_t)t, (uint32_t)row, use, 0, config->run.seed, HEED_FOR_SYNTHETIC);
  return (int32_t)heed_below(draw.word[0], (uint64_t)config->model.vocabulary_size);
}

/* Puts row batch->first_row + b behind those that the batch has. */
static void add_row(heed_batch *batch, const heed_config *config, int64_t b, int64_t length) {
  heed_stream *stream = &batch->stream;
  int64_t targets = heed_synthetic_targets(config, length), first = stream->tokens, row = batch->first_row + b;
  for (int64_t t = 0; t < length; t++) {
    stream->ids[first + t] = token(config, row, t, 0);
    stream->positions[first + t] = (int32_t)t;
    stream->token_types[first + t] = config->objective.next_sentence && t >= length / 2;
    stream->sequence_of[first + t] = (int32_t)b;
  }
  for (int64_t m = 0; m < targets; m++) {
    int64_t place = (2 * m + 1) * length / (2 * targets);
    batch->target_tokens[batch->targets + m] = first + place;
    batch->target_ids[batch->targets + m] = token(config, row, place, 1);
    batch->target_is_mask[batch->targets + m] = config->objective.predict == HEED_PREDICT_MASKED;
  }
  stream->tokens += length;
  stream->offsets[++stream->sequences] = stream->tokens;
  batch->targets += targets;
  if (batch->next_sentence)
    batch->next_sentence[b] = (int32_t)(row % 2);
}

static void fill(heed_batch *batch, const heed_config *config, heed_lengths lengths, int64_t slices) {
  int64_t slice_rows = config->train.batch_sequences / config->train.slices;
  batch->slices = slices;
  for (int64_t g = 0; g < slices; g++) {
    for (int64_t b = g * slice_rows; b < (g + 1) * slice_rows; b++)
      add_row(batch, config, b, length_of(config, lengths, batch->first_row + b));
    batch->slice_rows[g + 1] = batch->stream.sequences;
    batch->stream.slice_tokens[g + 1] = batch->stream.tokens;
    batch->slice_targets[g + 1] = batch->targets;
  }
}

static heed_status create_passes(heed_synthetic *synthetic, const heed_config *config, heed_lengths lengths, const heed_stepper *stepper) {
  const heed_train_config *train = &config->train;
  int64_t slices = heed_stepper_slices_at_once(stepper), rows = slices * (train->batch_sequences / train->slices), targets = 0;
  int64_t first_row = heed_stepper_first_slice(stepper) * (train->batch_sequences / train->slices), passes = synthetic->passes;
  for (int64_t pass = 0; pass < passes; pass++) {
    heed_batch *batch = &synthetic->batches[pass];
    int64_t most = rows * heed_synthetic_targets(config, train->sequence_length);
    HEED_TRY(heed_batch_create(batch, slices, rows, rows * train->sequence_length, most, config->objective.next_sentence));
    batch->first_row = first_row + pass * rows;
    fill(batch, config, lengths, slices);
    targets += batch->targets;
  }
  for (int64_t pass = 0; pass < passes; pass++)
    synthetic->batches[pass].step_targets = targets;
  return HEED_OK;
}

heed_status heed_synthetic_create(heed_synthetic *synthetic, const heed_config *config, heed_lengths lengths, const heed_stepper *stepper) {
  int64_t passes = heed_stepper_slices(stepper) / heed_stepper_slices_at_once(stepper);
  for (int64_t i = 0; i < lengths.count; i++)
    if (lengths.values[i] < 1 || lengths.values[i] > config->train.sequence_length)
      return heed_error(HEED_INVALID, "a row of %lld tokens: train.sequence_length allows 1 to %lld", (long long)lengths.values[i],
                        (long long)config->train.sequence_length);
  *synthetic = (heed_synthetic){.batches = calloc((size_t)passes, sizeof *synthetic->batches), .passes = passes};
  if (!synthetic->batches)
    return heed_error(HEED_FAILED, "out of memory for %lld batches", (long long)passes);
  return create_passes(synthetic, config, lengths, stepper);
}

void heed_synthetic_free(heed_synthetic *synthetic) {
  for (int64_t pass = 0; synthetic->batches && pass < synthetic->passes; pass++)
    heed_batch_free(&synthetic->batches[pass]);
  free(synthetic->batches);
  *synthetic = (heed_synthetic){0};
}

const heed_batch *heed_synthetic_next(void *self) {
  heed_synthetic *synthetic = self;
  heed_batch *batch = &synthetic->batches[synthetic->next];
  batch->data_position++; /* each pass of a step has been given as often as the others */
  synthetic->next = (synthetic->next + 1) % synthetic->passes;
  return batch;
}
