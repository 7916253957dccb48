/* Logits a group of rows at a time: the same bits as all at once, in less memory. */
#include "models/options.h"

enum { ROWS = 41, LENGTH = 16, COUNT = ROWS * LENGTH }; /* every token is a target: more than two groups, and a rest */

static heed_batch make(void) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, ROWS, COUNT, COUNT, false), HEED_OK);
  heed_stream *stream = &batch.stream;
  batch.slices = 1;
  stream->sequences = ROWS;
  stream->tokens = batch.targets = COUNT;
  for (int32_t t = 0; t < COUNT; t++) {
    stream->ids[t] = (7 * t + 3) % VOCABULARY;
    stream->positions[t] = t % LENGTH;
    stream->token_types[t] = 0;
    stream->sequence_of[t] = t / LENGTH;
    batch.target_tokens[t] = t;
    batch.target_ids[t] = (11 * t + 5) % VOCABULARY;
  }
  for (int64_t row = 0; row < ROWS; row++)
    stream->offsets[row + 1] = (row + 1) * LENGTH;
  batch.slice_rows[1] = ROWS;
  stream->slice_tokens[1] = batch.slice_targets[1] = COUNT;
  return batch;
}

typedef struct run {
  float *gradients;
  size_t gradient_bytes, model_bytes;
  heed_slice_sums sums;
} run;

static run train(const heed_kernels *kernels, bool only_training) {
  run r;
  heed_model_sizes sizes = {.sequences = ROWS,
                            .tokens = COUNT,
                            .targets = COUNT,
                            .slices = 1,
                            .longest = LENGTH,
                            .training = true,
                            .only_training = only_training,
                            .token_head = true};
  heed_model *model = option_model_of(&options[0].config, &sizes, kernels);
  heed_batch batch = make();
  const heed_parameter_table *table = heed_model_table(model);
  r.gradients = test_floats(table->gradient_total);
  r.gradient_bytes = (size_t)table->gradient_total * sizeof(float);
  r.model_bytes = heed_model_bytes(model);
  heed_model_train(model, option_weights(table), r.gradients, &batch, 1, 0, &r.sums);
  heed_batch_free(&batch);
  heed_model_free(model);
  return r;
}

static void groups_have_the_bits_of_the_whole(void) {
  const heed_kernels *best = heed_kernels_choose(NULL), *tables[2] = {best, best->bf16};
  for (int i = 0; i < 2; i++) {
    run whole = train(tables[i], false), groups = train(tables[i], true);
    CU_ASSERT_EQUAL(memcmp(whole.gradients, groups.gradients, whole.gradient_bytes), 0);
    CU_ASSERT_EQUAL(memcmp(&whole.sums, &groups.sums, sizeof whole.sums), 0);
    CU_ASSERT(tables[i] == best ? groups.model_bytes == whole.model_bytes : groups.model_bytes < whole.model_bytes);
    test_release();
  }
}

HEED_TESTS({"groups have the bits of the whole", groups_have_the_bits_of_the_whole})
