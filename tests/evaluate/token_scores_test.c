/* Evaluation of masked and of next tokens: counts by hand for a model whose logits are known, and bits that do not depend on what goes
 * through together. */
#include "evaluate/token_scores.h"

#include <math.h>

#include "base/blas.h"
#include "data/sampler_fixture.h"
#include "reference/numbers.h"
#include "test.h"

enum { V = FIXTURE_V, ROWS = 16, SLICES = 8, LENGTH = 64 };

typedef struct job {
  fixture data;
  heed_config config;
  heed_sampler *sampler;
  heed_model *model;
  heed_token_evaluator *evaluator;
  float *parameters; /* zeros */
} job;

static heed_config config_of(const char *family, const heed_objective_config *objective) {
  static char names[2][8] = {"bert", "gpt"};
  bool gpt = strcmp(family, "gpt") == 0;
  return (heed_config){.model = {.family = names[gpt],
                                 .vocabulary_size = V,
                                 .layers = 2,
                                 .hidden = 8,
                                 .heads = 2,
                                 .feed_forward = 8,
                                 .max_positions = LENGTH,
                                 .token_types = gpt ? 0 : 2,
                                 .causal = objective->predict == HEED_PREDICT_NEXT_TOKEN,
                                 .norm = gpt ? HEED_NORM_PRE : HEED_NORM_POST,
                                 .embedding_norm = !gpt,
                                 .biases = true,
                                 .dropout = 0.5, /* must not show */
                                 .attention_dropout = 0.5,
                                 .layer_norm_epsilon = 1e-12,
                                 .initializer_range = 0.5},
                       .objective = *objective,
                       .train = {.sequence_length = LENGTH, .batch_sequences = ROWS, .slices = SLICES}};
}

static void start_with(job *j, int64_t slices_at_once, const char *family, heed_objective_config objective) {
  *j = (job){0};
  fixture_make(&j->data);
  j->data.spec.evaluation = true;
  j->data.spec.objective.next_sentence = objective.next_sentence;
  j->data.spec.objective.predict = objective.predict;
  j->sampler = fixture_sampler(&j->data);
  CU_ASSERT_PTR_NOT_NULL_FATAL(j->sampler);
  j->config = config_of(family, &j->data.spec.objective);
  int64_t rows = ROWS / SLICES * slices_at_once;
  heed_model_sizes sizes = {.sequences = rows,
                            .tokens = rows * LENGTH,
                            .targets = heed_sampler_most_targets(j->sampler, rows),
                            .slices = slices_at_once,
                            .longest = LENGTH,
                            .next_sentence = objective.next_sentence,
                            .token_head = true};
  CU_ASSERT_EQUAL_FATAL(heed_blas_check(), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&j->model, &j->config.model, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(j->model), HEED_OK);
  heed_token_spec spec = {.model = j->model,
                          .sampler = j->sampler,
                          .tokenizer = j->data.tokenizer,
                          .communication = heed_alone(),
                          .config = &j->config,
                          .slices_at_once = slices_at_once};
  CU_ASSERT_EQUAL_FATAL(heed_token_evaluator_create(&j->evaluator, &spec), HEED_OK);
  j->parameters = test_floats(heed_model_table(j->model)->total);
}

static void start(job *j, int64_t slices_at_once, bool next_sentence) {
  start_with(j, slices_at_once, "bert", (heed_objective_config){.next_sentence = next_sentence});
}

static const heed_objective_config next_token = {.predict = HEED_PREDICT_NEXT_TOKEN};

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
static void check_counts(int64_t slices_at_once, int64_t batches, heed_predict predict) {
  job j;
  bool masks = predict == HEED_PREDICT_MASKED;
  start_with(&j, slices_at_once, "bert", (heed_objective_config){.predict = predict});
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
  CU_ASSERT_TRUE(masks ? scores.accuracy_masked == (double)want.right_masked / (double)want.masked : isnan(scores.accuracy_masked));
  CU_ASSERT_EQUAL(scores.unigram_accuracy, (double)most / targets);
  CU_ASSERT_TRUE(isnan(scores.next_sentence_accuracy));
  CU_ASSERT_TRUE(isnan(scores.bits_per_byte)); /* of WordPiece: a token stands for no exact text */
  /* The counts tell one thing from another. */
  CU_ASSERT(want.right > 0 && want.right < want.right_top5 && want.right_top5 < want.targets && want.right_masked <= want.right);
  CU_ASSERT(!masks || want.right == most - 1);
  CU_ASSERT(masks ? want.masked > 0 && want.masked < want.targets : want.masked == 0);
  finish(&j);
}

static void counts_are_as_by_hand(void) {
  for (int64_t at_once = 1; at_once <= SLICES; at_once *= 2)
    check_counts(at_once, 0, HEED_PREDICT_MASKED);
}

static void only_so_many_batches(void) {
  check_counts(2, 5, HEED_PREDICT_MASKED);
  check_counts(SLICES, 1000000, HEED_PREDICT_MASKED); /* more than there are: all, once */
}

static void counts_of_next_tokens_are_as_by_hand(void) {
  for (int64_t at_once = 1; at_once <= SLICES; at_once *= 4)
    check_counts(at_once, 0, HEED_PREDICT_NEXT_TOKEN);
  check_counts(2, 3, HEED_PREDICT_NEXT_TOKEN);
}

/* Any weights: the same bits whatever goes through together.  The last batch is short: some slices of it are empty. */
static void compare_slices(const char *family, heed_objective_config objective) {
  heed_token_scores first = {0};
  double entropies[4] = {0}; /* two layers of two heads */
  for (int64_t at_once = 1; at_once <= SLICES; at_once *= 2) {
    job j;
    start_with(&j, at_once, family, objective);
    int64_t rest = heed_sampler_samples(j.sampler) % ROWS;
    CU_ASSERT(rest > 0 && rest <= ROWS - 2 * ROWS / SLICES);
    heed_parameters_initialise(heed_model_table(j.model), j.parameters, 3);
    heed_token_scores scores = heed_token_evaluate(j.evaluator, j.parameters, 0);
    if (at_once == 1) {
      first = scores;
      memcpy(entropies, heed_token_entropy(j.evaluator), sizeof entropies);
    }
    CU_ASSERT_EQUAL(memcmp(&first, &scores, sizeof scores), 0);
    CU_ASSERT_EQUAL(memcmp(entropies, heed_token_entropy(j.evaluator), sizeof entropies), 0);
    scores = heed_token_evaluate(j.evaluator, j.parameters, 0); /* nothing stays from the time before */
    CU_ASSERT_EQUAL(memcmp(&first, &scores, sizeof scores), 0);
    CU_ASSERT_EQUAL(memcmp(entropies, heed_token_entropy(j.evaluator), sizeof entropies), 0);
    finish(&j);
  }
  CU_ASSERT(first.loss > 1);
  CU_ASSERT_EQUAL(first.next_sentence_accuracy > 0 && first.next_sentence_accuracy < 1, objective.next_sentence);
  for (int i = 0; i < 4; i++)
    CU_ASSERT(entropies[i] > 0 && entropies[i] < log(LENGTH) && (i == 0 || entropies[i] != entropies[i - 1]));
}

static void slices_at_once_do_not_matter(void) {
  compare_slices("bert", (heed_objective_config){.next_sentence = true});
}
static void nor_of_next_tokens(void) {
  compare_slices("gpt", next_token);
}

/* The loss, target by target, from the logits of one row at a time. */
static void add_losses(const heed_batch *batch, void *data) {
  job *j = ((void **)data)[0];
  double *loss = ((void **)data)[1];
  heed_batch row;
  CU_ASSERT_EQUAL_FATAL(heed_sampler_create_batch(j->sampler, &row, 1), HEED_OK);
  for (int64_t g = 0; g < SLICES; g++) {
    heed_sampler_read(j->sampler, &row, batch->data_position, g, 1);
    const float *logits = row.targets > 0 ? heed_model_logits(j->model, j->parameters, &row) : NULL;
    for (int64_t m = 0; m < row.targets; m++) {
      double sum = 0;
      for (int64_t v = 0; v < V; v++)
        sum += exp((double)logits[m * V + v]);
      *loss += log(sum) - (double)logits[m * V + row.target_ids[m]];
    }
  }
  heed_batch_free(&row);
}

static void the_loss_of_next_tokens_is_its_twins(void) {
  job j;
  double loss = 0;
  void *data[2] = {&j, &loss};
  start_with(&j, 4, "gpt", next_token);
  heed_parameters_initialise(heed_model_table(j.model), j.parameters, 3);
  go_over(&j, batches_of(&j), add_losses, data);
  heed_token_scores scores = heed_token_evaluate(j.evaluator, j.parameters, 0);
  loss /= (double)scores.targets;
  printf("loss %.4f  ", scores.loss);
  CU_ASSERT_DOUBLE_EQUAL(scores.loss, loss, 1e-6 * loss);
  int64_t text = j.data.shards[0].token_count + j.data.shards[1].token_count;
  CU_ASSERT_EQUAL(scores.targets, text + j.data.shards[0].document_count + j.data.shards[1].document_count);
  finish(&j);
}

static void add_entropy(const heed_batch *batch, void *data) {
  double *sum = data;
  for (int64_t t = 0; t < batch->stream.tokens; t++) {
    int64_t b = batch->stream.sequence_of[t], length = batch->stream.offsets[b + 1] - batch->stream.offsets[b];
    sum[0] += log((double)length);                         /* sees all */
    sum[1] += log((double)batch->stream.positions[t] + 1); /* sees those before it */
    sum[2]++;
  }
}

/* Weights of zero attend to all that is seen alike: the entropy of a query that sees n keys is ln n.  Of the first batch alone. */
static void entropy_is_the_mean_over_queries(void) {
  for (int causal = 0; causal < 2; causal++) {
    job j;
    double sum[3] = {0};
    start_with(&j, 2, causal ? "gpt" : "bert", causal ? next_token : (heed_objective_config){0});
    go_over(&j, 1, add_entropy, sum);
    heed_token_evaluate(j.evaluator, j.parameters, 0);
    for (int i = 0; i < 4; i++)
      CU_ASSERT_DOUBLE_EQUAL(heed_token_entropy(j.evaluator)[i], sum[causal] / sum[2], 1e-5);
    CU_ASSERT(fabs(sum[0] - sum[1]) > 0.1 * sum[2]);
    finish(&j);
  }
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

HEED_TESTS({"counts are as by hand", counts_are_as_by_hand}, {"counts of next tokens too", counts_of_next_tokens_are_as_by_hand},
           {"only so many batches", only_so_many_batches}, {"slices at once do not matter", slices_at_once_do_not_matter},
           {"nor of next tokens", nor_of_next_tokens}, {"the loss of next tokens is its twin's", the_loss_of_next_tokens_is_its_twins},
           {"entropy is the mean over queries", entropy_is_the_mean_over_queries}, {"pairs are counted", pairs_are_counted})
