/* Masked evaluation: counts by hand for a model whose logits are known, and bits that do not depend on what goes through together. */
#include "evaluate/token_scores.h"

#include <math.h>

#include "base/blas.h"
#include "data/sampler_fixture.h"
#include "reference/numbers.h"
#include "test.h"

enum { V = FIXTURE_V, ROWS = 16, SLICES = 8, LENGTH = 64 };

typedef struct job {
  fixture data;
  heed_sampler *sampler;
  heed_model *model;
  heed_token_evaluator *evaluator;
  float *parameters; /* zeros */
} job;

static void start(job *j, int64_t slices_at_once, bool next_sentence) {
  char family[] = "bert";
  *j = (job){0};
  fixture_make(&j->data);
  j->data.spec.evaluation = true;
  j->data.spec.objective.next_sentence = next_sentence;
  j->sampler = fixture_sampler(&j->data);
  CU_ASSERT_PTR_NOT_NULL_FATAL(j->sampler);
  heed_model_config config = {.family = family,
                              .vocabulary_size = V,
                              .layers = 1,
                              .hidden = 8,
                              .heads = 1,
                              .feed_forward = 8,
                              .max_positions = LENGTH,
                              .token_types = 2,
                              .dropout = 0.5, /* must not show */
                              .attention_dropout = 0.5,
                              .layer_norm_epsilon = 1e-12,
                              .initializer_range = 0.5};
  int64_t rows = ROWS / SLICES * slices_at_once;
  heed_model_sizes sizes = {.sequences = rows,
                            .tokens = rows * LENGTH,
                            .targets = heed_sampler_most_targets(j->sampler, rows),
                            .slices = slices_at_once,
                            .longest = LENGTH,
                            .next_sentence = next_sentence,
                            .token_head = true};
  CU_ASSERT_EQUAL_FATAL(heed_blas_check(), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&j->model, &config, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(j->model), HEED_OK);
  heed_token_spec spec = {.model = j->model,
                           .sampler = j->sampler,
                           .communication = heed_alone(),
                           .vocabulary_size = V,
                           .batch_sequences = ROWS,
                           .slices = SLICES,
                           .slices_at_once = slices_at_once,
                           .sequence_length = LENGTH,
                           .next_sentence = next_sentence};
  CU_ASSERT_EQUAL_FATAL(heed_token_evaluator_create(&j->evaluator, &spec), HEED_OK);
  j->parameters = test_floats(heed_model_table(j->model)->total);
}

static void finish(job *j) {
  heed_token_evaluator_free(j->evaluator);
  heed_model_free(j->model);
  heed_sampler_free(j->sampler);
  fixture_free(&j->data);
  test_release();
}

static float *tensor(const job *j, const char *name) {
  int64_t index = heed_parameters_find(heed_model_table(j->model), name);
  CU_ASSERT_TRUE_FATAL(index >= 0);
  return j->parameters + heed_model_table(j->model)->items[index].offset;
}

static int64_t batches_of(const job *j) {
  return (heed_sampler_samples(j->sampler) + ROWS - 1) / ROWS;
}

/* Goes over the first `batches` batches of the data, a whole global batch at a time. */
static void go_over(const job *j, int64_t batches, void (*visit)(const heed_batch *, void *), void *data) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_sampler_create_batch(j->sampler, &batch, SLICES), HEED_OK);
  for (int64_t n = 0; n < batches; n++) {
    heed_sampler_read(j->sampler, &batch, (uint32_t)n, 0, SLICES);
    visit(&batch, data);
  }
  heed_batch_free(&batch);
}

static void count_targets(const heed_batch *batch, void *data) {
  int64_t *frequencies = data;
  for (int64_t m = 0; m < batch->targets; m++)
    frequencies[batch->target_ids[m]]++;
}

/* What is to come out, counted one target at a time. */
typedef struct counts {
  const float *bias;
  double log_sum, loss;
  int64_t targets, right, right_top5, masked, right_masked, pairs, random;
} counts;

static void count(const heed_batch *batch, void *data) {
  counts *c = data;
  for (int64_t m = 0; m < batch->targets; m++) {
    int32_t target = batch->target_ids[m];
    int64_t before = 0;
    for (int32_t v = 0; v < V; v++)
      before += c->bias[v] > c->bias[target] || (c->bias[v] == c->bias[target] && v < target);
    c->targets++;
    c->loss += c->log_sum - (double)c->bias[target];
    c->right += before == 0;
    c->right_top5 += before < 5;
    c->masked += batch->target_is_mask[m];
    c->right_masked += before == 0 && batch->target_is_mask[m];
  }
  for (int64_t b = 0; b < batch->stream.sequences && batch->next_sentence; b++) {
    c->pairs++;
    c->random += batch->next_sentence[b];
  }
}

/* All weights are zero but the decoder's bias, so the logits of every target are that bias.  It is highest for the tokens that are a
 * target once less than the most frequent one: some are alike, of which the first counts. */
static void check_counts(int64_t slices_at_once, int64_t batches) {
  job j;
  start(&j, slices_at_once, false);
  int64_t *frequencies = test_memory(V, sizeof *frequencies), all = batches_of(&j), used = batches > 0 && batches < all ? batches : all;
  int64_t most = 0;
  float *bias = tensor(&j, "cls.predictions.bias");
  counts want = {.bias = bias};
  go_over(&j, used, count_targets, frequencies);
  for (int64_t v = 0; v < V; v++)
    most = frequencies[v] > most ? frequencies[v] : most;
  for (int64_t v = 0; v < V; v++) {
    bias[v] = (float)-llabs(frequencies[v] - (most - 1));
    want.log_sum += exp((double)bias[v]);
  }
  want.log_sum = log(want.log_sum);
  go_over(&j, used, count, &want);
  heed_token_scores scores = heed_token_evaluate(j.evaluator, j.parameters, batches);

  double targets = (double)want.targets, loss = want.loss / targets;
  CU_ASSERT_EQUAL(scores.targets, want.targets);
  CU_ASSERT_EQUAL(scores.masked_targets, want.masked);
  CU_ASSERT_DOUBLE_EQUAL(scores.loss, loss, 1e-6 * loss); /* the kernel's exponentials are floats' */
  CU_ASSERT_DOUBLE_EQUAL(scores.perplexity, exp(scores.loss), 1e-9 * scores.perplexity);
  CU_ASSERT_EQUAL(scores.accuracy, (double)want.right / targets);
  CU_ASSERT_EQUAL(scores.accuracy_top5, (double)want.right_top5 / targets);
  CU_ASSERT_EQUAL(scores.accuracy_masked, (double)want.right_masked / (double)want.masked);
  CU_ASSERT_EQUAL(scores.unigram_accuracy, (double)most / targets);
  CU_ASSERT_TRUE(isnan(scores.next_sentence_accuracy));
  /* The counts tell one thing from another. */
  CU_ASSERT(want.right > 0 && want.right < want.right_top5 && want.right_top5 < want.targets && want.right_masked <= want.right);
  CU_ASSERT(want.masked > 0 && want.masked < want.targets && want.right == most - 1);
  finish(&j);
}

static void counts_are_as_by_hand(void) {
  for (int64_t at_once = 1; at_once <= SLICES; at_once *= 2)
    check_counts(at_once, 0);
}

static void only_so_many_batches(void) {
  check_counts(2, 5);
  check_counts(SLICES, 1000000); /* more than there are: all, once */
}

/* Any weights: the same bits whatever goes through together.  The last batch is short: some slices of it are empty. */
static void slices_at_once_do_not_matter(void) {
  heed_token_scores first = {0};
  for (int64_t at_once = 1; at_once <= SLICES; at_once *= 2) {
    job j;
    start(&j, at_once, true);
    int64_t rest = heed_sampler_samples(j.sampler) % ROWS;
    CU_ASSERT(rest > 0 && rest <= ROWS - 2 * ROWS / SLICES);
    heed_parameters_initialise(heed_model_table(j.model), j.parameters, 3);
    heed_token_scores scores = heed_token_evaluate(j.evaluator, j.parameters, 0);
    if (at_once == 1)
      first = scores;
    CU_ASSERT_EQUAL(memcmp(&first, &scores, sizeof scores), 0);
    scores = heed_token_evaluate(j.evaluator, j.parameters, 0); /* nothing stays from the time before */
    CU_ASSERT_EQUAL(memcmp(&first, &scores, sizeof scores), 0);
    finish(&j);
  }
  CU_ASSERT(first.loss > 1 && first.next_sentence_accuracy > 0 && first.next_sentence_accuracy < 1);
}

static void pairs_are_counted(void) {
  job j;
  start(&j, 4, true);
  counts want = {.bias = tensor(&j, "cls.predictions.bias")};
  go_over(&j, batches_of(&j), count, &want);
  CU_ASSERT_FATAL(want.random > 0 && 2 * want.random != want.pairs);
  tensor(&j, "cls.seq_relationship.bias")[1] = 1; /* "random", always */
  heed_token_scores scores = heed_token_evaluate(j.evaluator, j.parameters, 0);
  CU_ASSERT_EQUAL(scores.next_sentence_accuracy, (double)want.random / (double)want.pairs);
  tensor(&j, "cls.seq_relationship.bias")[1] = -1; /* "real", always */
  scores = heed_token_evaluate(j.evaluator, j.parameters, 0);
  CU_ASSERT_EQUAL(scores.next_sentence_accuracy, (double)(want.pairs - want.random) / (double)want.pairs);
  finish(&j);
}

HEED_TESTS({"counts are as by hand", counts_are_as_by_hand}, {"only so many batches", only_so_many_batches},
           {"slices at once do not matter", slices_at_once_do_not_matter}, {"pairs are counted", pairs_are_counted})
