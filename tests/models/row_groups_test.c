/* Logits a group of rows at a time: the same bits as all at once, in less memory. */
#include "models/options.h"

enum { ROWS = 41, LENGTH = 16, COUNT = ROWS * LENGTH, SLICES = 4 };  /* every token is a target: more than two groups, and a rest */
static const int64_t slice_rows[SLICES + 1] = {0, 17, 17, 30, ROWS}; /* edges within groups, and one without rows */

static heed_batch make(void) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, SLICES, ROWS, COUNT, COUNT, false), HEED_OK);
  heed_stream *stream = &batch.stream;
  batch.slices = SLICES;
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
  for (int64_t g = 0; g <= SLICES; g++) {
    batch.slice_rows[g] = slice_rows[g];
    stream->slice_tokens[g] = batch.slice_targets[g] = slice_rows[g] * LENGTH;
  }
  return batch;
}

static void copy_logits(void *self, const float *logits, int64_t first, int64_t rows) {
  memcpy((float *)self + first * VOCABULARY, logits, (size_t)(rows * VOCABULARY) * sizeof *logits);
}

typedef struct run {
  float *gradients, *logits;
  double *losses;
  size_t gradient_bytes, model_bytes;
  heed_slice_sums sums[SLICES];
  bool refuses; /* the logits of all targets at once */
} run;

/** Trains, and then scores the same batch, as a run does to evaluate. */
static run run_model(const heed_kernels *kernels, bool in_groups) {
  run r;
  heed_model_sizes sizes = {.sequences = ROWS,
                            .tokens = COUNT,
                            .targets = COUNT,
                            .slices = SLICES,
                            .longest = LENGTH,
                            .training = true,
                            .logits_in_groups = in_groups,
                            .token_head = true};
  heed_model *model = option_model_of(&options[0].config, &sizes, kernels);
  heed_batch batch = make();
  const heed_parameter_table *table = heed_model_table(model);
  float *weights = option_weights(table);
  r.gradients = test_floats(table->gradient_total);
  r.logits = test_floats(COUNT * VOCABULARY);
  r.losses = test_doubles(COUNT);
  r.gradient_bytes = (size_t)table->gradient_total * sizeof(float);
  r.model_bytes = heed_model_bytes(model);
  heed_model_train(model, weights, r.gradients, &batch, 1, 0, r.sums);
  const double *losses = heed_model_score(model, weights, &batch, copy_logits, r.logits);
  memcpy(r.losses, losses, COUNT * sizeof *losses);
  const float *all = heed_model_logits(model, weights, &batch);
  r.refuses = !all;
  CU_ASSERT(!all || memcmp(all, r.logits, COUNT * VOCABULARY * sizeof *all) == 0);
  heed_batch_free(&batch);
  heed_model_free(model);
  return r;
}

static void groups_have_the_bits_of_the_whole(void) {
  const heed_kernels *best = heed_kernels_choose(NULL), *tables[2] = {best, best->bf16};
  for (int i = 0; i < 2; i++) {
    run whole = run_model(tables[i], false), groups = run_model(tables[i], true);
    CU_ASSERT_EQUAL(memcmp(whole.gradients, groups.gradients, whole.gradient_bytes), 0);
    CU_ASSERT_EQUAL(memcmp(whole.sums, groups.sums, sizeof whole.sums), 0);
    CU_ASSERT_EQUAL(memcmp(whole.logits, groups.logits, COUNT * VOCABULARY * sizeof *whole.logits), 0);
    CU_ASSERT_EQUAL(memcmp(whole.losses, groups.losses, COUNT * sizeof *whole.losses), 0);
    CU_ASSERT(tables[i] == best ? groups.model_bytes == whole.model_bytes : groups.model_bytes < whole.model_bytes);
    CU_ASSERT(!whole.refuses && groups.refuses == (tables[i] != best));
    test_release();
  }
}

HEED_TESTS({"groups have the bits of the whole", groups_have_the_bits_of_the_whole})
