#include "measure/synthetic.h"

#include "data/masking.h"
#include "heed/random.h"

int64_t heed_synthetic_targets(const heed_config *config) {
  if (config->objective.predict == HEED_PREDICT_NEXT_TOKEN)
    return config->train.sequence_length;
  heed_mask_rule rule = {.probability = config->objective.mask_probability, .max_predictions = config->objective.max_predictions};
  return heed_mask_count(&rule, config->train.sequence_length);
}

/* A token for place `t` of row `b`: `use` parts inputs from targets. */
static int32_t token(const heed_config *config, int64_t b, int64_t t, uint32_t use) {
  heed_random4 draw = heed_philox((uint32_t)t, (uint32_t)b, use, 0, config->run.seed, HEED_FOR_SYNTHETIC);
  return (int32_t)heed_below(draw.word[0], (uint64_t)config->model.vocabulary_size);
}

static void fill_row(heed_batch *batch, const heed_config *config, int64_t b) {
  heed_stream *stream = &batch->stream;
  int64_t length = config->train.sequence_length, targets = heed_synthetic_targets(config), first = b * length;
  for (int64_t t = 0; t < length; t++) {
    stream->ids[first + t] = token(config, b, t, 0);
    stream->positions[first + t] = (int32_t)t;
    stream->token_types[first + t] = config->objective.next_sentence && t >= length / 2;
    stream->sequence_of[first + t] = (int32_t)b;
  }
  for (int64_t m = 0; m < targets; m++) {
    int64_t place = (2 * m + 1) * length / (2 * targets);
    batch->target_tokens[b * targets + m] = first + place;
    batch->target_ids[b * targets + m] = token(config, b, place, 1);
    batch->target_is_mask[b * targets + m] = config->objective.predict == HEED_PREDICT_MASKED;
  }
  stream->offsets[b + 1] = first + length;
  if (batch->next_sentence)
    batch->next_sentence[b] = (int32_t)(b % 2);
}

heed_status heed_synthetic_create(heed_synthetic *synthetic, const heed_config *config, const heed_stepper *stepper) {
  const heed_train_config *train = &config->train;
  int64_t slices = heed_stepper_slices_at_once(stepper), slice_rows = train->batch_sequences / train->slices;
  int64_t rows = slices * slice_rows, length = train->sequence_length, targets = heed_synthetic_targets(config);
  heed_batch *batch = &synthetic->batch;
  HEED_TRY(heed_batch_create(batch, slices, rows, rows * length, rows * targets, config->objective.next_sentence));
  for (int64_t b = 0; b < rows; b++)
    fill_row(batch, config, b);
  for (int64_t g = 0; g <= slices; g++) {
    batch->slice_rows[g] = g * slice_rows;
    batch->stream.slice_tokens[g] = g * slice_rows * length;
    batch->slice_targets[g] = g * slice_rows * targets;
  }
  batch->slices = slices;
  batch->stream.sequences = rows;
  batch->stream.tokens = rows * length;
  batch->targets = rows * targets;
  batch->step_targets = heed_stepper_slices(stepper) * slice_rows * targets;
  synthetic->first_row = heed_stepper_first_slice(stepper) * slice_rows;
  synthetic->rows_end = synthetic->first_row + heed_stepper_slices(stepper) * slice_rows;
  batch->first_row = synthetic->first_row - rows; /* next moves on before it gives */
  return HEED_OK;
}

void heed_synthetic_free(heed_synthetic *synthetic) {
  heed_batch_free(&synthetic->batch);
}

const heed_batch *heed_synthetic_next(void *self) {
  heed_synthetic *synthetic = self;
  heed_batch *batch = &synthetic->batch;
  batch->first_row += batch->stream.sequences;
  if (batch->first_row == synthetic->rows_end) {
    batch->first_row = synthetic->first_row;
    batch->data_position++;
  }
  return batch;
}
