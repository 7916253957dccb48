/* train.recompute: of every kind of model the bits of losses and gradients are those of keeping all, in less memory. */
#include <omp.h>

#include "models/options.h"

enum { SLICES = 3 };

typedef struct run {
  heed_slice_sums sums[SLICES];
  float *gradients, *hidden;
  size_t gradient_bytes, hidden_bytes, model_bytes;
} run;

/* Trains on other rows, so that nothing of the first batch is of use to the second; then evaluates, and trains on what counts. */
static run train(const option *o, const heed_kernels *kernels, heed_recompute recompute, bool next_sentence) {
  run r = {0};
  heed_model_config config = o->config;
  config.dropout = config.attention_dropout = 0.1;
  heed_model_sizes sizes = {.sequences = SEQUENCES,
                            .tokens = SEQUENCES * POSITIONS,
                            .targets = SEQUENCES * POSITIONS,
                            .slices = SLICES,
                            .longest = POSITIONS,
                            .training = true,
                            .recompute = recompute,
                            .next_sentence = next_sentence,
                            .token_head = true};
  heed_model *model = option_model_of(&config, &sizes, kernels);
  const heed_parameter_table *table = heed_model_table(model);
  float *weights = option_weights(table);
  heed_batch other = make_batch(3, 3, 1), batch = make_batch(0, SEQUENCES, SLICES);
  r.gradient_bytes = (size_t)table->gradient_total * sizeof(float);
  r.hidden_bytes = (size_t)(batch.stream.tokens * WIDTH) * sizeof(float);
  r.model_bytes = heed_model_bytes(model);
  r.gradients = test_floats(table->gradient_total);
  r.hidden = test_floats(batch.stream.tokens * WIDTH);
  heed_model_train(model, weights, r.gradients, &other, 5, 2.0f, r.sums);
  memcpy(r.hidden, heed_model_hidden(model, weights, &batch), r.hidden_bytes);
  memset(r.gradients, 0xFF, r.gradient_bytes); /* NaN: all of it is written */
  heed_model_train(model, weights, r.gradients, &batch, 7, 2.0f, r.sums);
  heed_batch_free(&other);
  heed_batch_free(&batch);
  heed_model_free(model);
  return r;
}

static bool same(const run *a, const run *b) {
  return memcmp(a->gradients, b->gradients, a->gradient_bytes) == 0 && memcmp(a->sums, b->sums, sizeof a->sums) == 0 &&
         memcmp(a->hidden, b->hidden, a->hidden_bytes) == 0;
}

/* On any number of threads. */
static void compare(const option *o, const heed_kernels *kernels, bool next_sentence) {
  int before = omp_get_max_threads();
  omp_set_num_threads(2);
  run kept = train(o, kernels, HEED_RECOMPUTE_NONE, next_sentence);
  size_t bytes = kept.model_bytes;
  for (heed_recompute recompute = HEED_RECOMPUTE_ATTENTION; recompute <= HEED_RECOMPUTE_BLOCK; recompute++)
    for (int n = 0; n < 2; n++) {
      int threads = n == 0 ? 2 : recompute == HEED_RECOMPUTE_BLOCK ? 3 : 1;
      omp_set_num_threads(threads);
      run again = train(o, kernels, recompute, next_sentence);
      if (!same(&kept, &again))
        printf("(%s differs with %s on %d threads) ", o->name, recompute == HEED_RECOMPUTE_BLOCK ? "block" : "attention", threads);
      CU_ASSERT_TRUE(same(&kept, &again));
      if (n == 0) { /* scratch goes by threads */
        CU_ASSERT(again.model_bytes < bytes);
        bytes = again.model_bytes;
      }
    }
  omp_set_num_threads(before);
  test_release();
}

static void bits_are_those_of_keeping_all(void) {
  const heed_kernels *best = heed_kernels_choose(NULL), *tables[2] = {best, best->bf16};
  for (int n = 0; n < 2; n++)
    for (size_t i = 0; i < OPTIONS; i++)
      compare(&options[i], tables[n], false);
}

static void and_with_next_sentences(void) {
  compare(&options[0], heed_kernels_choose(NULL), true);
}

static size_t bytes_of(const heed_model_config *config, int64_t layers, bool training, heed_recompute recompute) {
  heed_model *model = NULL;
  heed_model_config deeper = *config;
  heed_model_sizes sizes = {.sequences = SEQUENCES,
                            .tokens = SEQUENCES * POSITIONS,
                            .targets = SEQUENCES * POSITIONS,
                            .slices = SLICES,
                            .longest = POSITIONS,
                            .training = training,
                            .recompute = recompute,
                            .token_head = true};
  deeper.layers = layers;
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&model, &deeper, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  size_t bytes = heed_model_bytes(model);
  heed_model_free(model);
  return bytes;
}

/* Of blocks that are made again another costs [T, C], and where a norm ends it that norm's two moments of a row; outside training nothing
 * is made again. */
static void another_block_costs_its_input(void) {
  size_t row = SEQUENCES * POSITIONS * WIDTH * sizeof(float), moments = 2 * SEQUENCES * POSITIONS * sizeof(float);
  for (size_t i = 0; i < OPTIONS; i++) {
    const heed_model_config *config = &options[i].config;
    size_t more = bytes_of(config, 5, true, HEED_RECOMPUTE_BLOCK) - bytes_of(config, 4, true, HEED_RECOMPUTE_BLOCK);
    CU_ASSERT_EQUAL(more, row + (config->norm == HEED_NORM_POST ? moments : 0));
    CU_ASSERT_EQUAL(bytes_of(config, 4, false, HEED_RECOMPUTE_BLOCK), bytes_of(config, 4, false, HEED_RECOMPUTE_NONE));
  }
}

HEED_TESTS({"bits are those of keeping all", bits_are_those_of_keeping_all}, {"and with next sentences", and_with_next_sentences},
           {"another block costs its input", another_block_costs_its_input})
