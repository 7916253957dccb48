/* Evaluation gives the same bits on any number of ranks: each rank's scores and entropies are those of one that evaluates alone.
 * ranks: 1 2 4 */
#include "evaluate/token_scores.h"

#include <string.h>

#include "data/sampler_fixture.h"
#include "mpi/ranks.h"
#include "reference/numbers.h"

enum { ROWS = 16, SLICES = 8, LENGTH = 64, LAYERS = 2, HEADS = 2 };

typedef struct scored {
  heed_token_scores scores;
  double entropy[LAYERS * HEADS];
} scored;

static heed_config config_of(heed_predict predict) {
  static char bert[] = "bert", gpt[] = "gpt";
  bool next = predict == HEED_PREDICT_NEXT_TOKEN;
  return (heed_config){.model = {.family = next ? gpt : bert,
                                 .vocabulary_size = FIXTURE_V,
                                 .layers = LAYERS,
                                 .hidden = 8,
                                 .heads = HEADS,
                                 .feed_forward = 8,
                                 .max_positions = LENGTH,
                                 .token_types = next ? 0 : 2,
                                 .causal = next,
                                 .norm = next ? HEED_NORM_PRE : HEED_NORM_POST,
                                 .embedding_norm = !next,
                                 .biases = true,
                                 .layer_norm_epsilon = 1e-12,
                                 .initializer_range = 0.5},
                       .train = {.sequence_length = LENGTH, .batch_sequences = ROWS, .slices = SLICES}};
}

static scored evaluate(heed_communication *c, heed_predict predict) {
  fixture data;
  scored result;
  memset(&result, 0, sizeof result);
  fixture_make(&data);
  data.spec.evaluation = true;
  data.spec.objective.predict = predict;
  heed_sampler *sampler = fixture_sampler(&data);
  CU_ASSERT_PTR_NOT_NULL_FATAL(sampler);
  heed_config config = config_of(predict);
  config.objective = data.spec.objective;
  int64_t at_once = SLICES / c->size, rows = ROWS / SLICES * at_once;
  heed_model_sizes sizes = {.sequences = rows,
                            .tokens = rows * LENGTH,
                            .targets = heed_sampler_most_targets(sampler, rows),
                            .slices = at_once,
                            .longest = LENGTH,
                            .token_head = true};
  heed_model *model;
  heed_token_evaluator *evaluator;
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&model, &config.model, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(model), HEED_OK);
  heed_token_spec spec = {model, sampler, data.tokenizer, c, &config, at_once, false};
  CU_ASSERT_EQUAL_FATAL(heed_token_evaluator_create(&evaluator, &spec), HEED_OK);
  float *parameters = test_floats(heed_model_table(model)->total);
  heed_parameters_initialise(heed_model_table(model), parameters, 3);
  result.scores = heed_token_evaluate(evaluator, parameters, 0);
  memcpy(result.entropy, heed_token_entropy(evaluator), sizeof result.entropy);
  heed_token_evaluator_free(evaluator);
  heed_model_free(model);
  heed_sampler_free(sampler);
  fixture_free(&data);
  test_release();
  return result;
}

static void compare(heed_predict predict) {
  scored alone = evaluate(heed_alone(), predict), together = evaluate(world, predict);
  CU_ASSERT(alone.scores.loss > 1 && alone.entropy[0] > 0);
  CU_ASSERT_EQUAL(memcmp(&alone.scores, &together.scores, sizeof alone.scores), 0);
  CU_ASSERT_EQUAL(memcmp(alone.entropy, together.entropy, sizeof alone.entropy), 0);
}

static void of_masked_tokens(void) {
  compare(HEED_PREDICT_MASKED);
}
static void of_next_tokens(void) {
  compare(HEED_PREDICT_NEXT_TOKEN);
}

HEED_RANK_TESTS({"of masked tokens", of_masked_tokens}, {"of next tokens", of_next_tokens})
