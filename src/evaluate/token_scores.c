#include "evaluate/token_scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/pulse.h"
#include "base/tree.h"
#include "heed/log.h"

/* What is summed over a slice, in double. */
typedef struct slice_scores {
  double loss, targets, right, right_top5, masked, right_masked, bytes, tokens, pairs, right_pairs;
} slice_scores;

enum { SCORES = sizeof(slice_scores) / sizeof(double) };

struct heed_token_evaluator {
  heed_token_spec spec;
  heed_communication *data; /* of the job: the ranks that take other slices */
  heed_batch batch;
  int64_t slices;      /* of this rank */
  int64_t heads;       /* of all layers */
  int64_t here;        /* of a layer, in this part of the model */
  int32_t *better;     /* [targets] tokens with a higher logit than the target's */
  double *scores;      /* [ranks][slices][SCORES] */
  double *frequencies; /* [ranks][V] how often each token is a target */
  double *watched;     /* [layers][rows][here] entropies of one pass */
  double *entropies;   /* [ranks][slices][heads], their sums; 0 of heads in other parts */
  double *entropy;     /* [parts][heads] the means; in the end of all */
};

static bool allocate(heed_token_evaluator *e, int64_t rows, int64_t targets) {
  size_t ranks = (size_t)e->data->size, parts = (size_t)e->spec.communication->tensor->size, heads = (size_t)e->heads;
  return (e->better = calloc((size_t)targets + 1, sizeof *e->better)) &&
         (e->scores = calloc(ranks * (size_t)e->slices * SCORES, sizeof *e->scores)) &&
         (e->frequencies = calloc(ranks * (size_t)e->spec.config->model.vocabulary_size, sizeof *e->frequencies)) &&
         (e->watched = calloc((size_t)rows * heads, sizeof *e->watched)) &&
         (e->entropies = calloc(ranks * (size_t)e->slices * heads, sizeof *e->entropies)) &&
         (e->entropy = calloc(parts * heads, sizeof *e->entropy));
}

heed_status heed_token_evaluator_create(heed_token_evaluator **result, const heed_token_spec *spec) {
  const heed_train_config *train = &spec->config->train;
  heed_token_evaluator *e = calloc(1, sizeof *e);
  if (!e)
    return heed_error(HEED_FAILED, "out of memory for the evaluation");
  e->spec = *spec;
  e->data = spec->communication->data;
  e->slices = train->slices / e->data->size;
  e->heads = spec->config->model.layers * spec->config->model.heads;
  e->here = spec->config->model.heads / spec->communication->tensor->size;
  int64_t rows = train->batch_sequences / train->slices * spec->slices_at_once, targets = heed_sampler_most_targets(spec->sampler, rows);
  heed_status status = heed_batch_create(&e->batch, spec->slices_at_once, rows, rows * train->sequence_length, targets,
                                         spec->config->objective.next_sentence);
  if (status == HEED_OK && !allocate(e, rows, targets))
    status = heed_error(HEED_FAILED, "out of memory for the evaluation");
  if (status != HEED_OK) {
    heed_token_evaluator_free(e);
    return status;
  }
  *result = e;
  return HEED_OK;
}

void heed_token_evaluator_free(heed_token_evaluator *e) {
  if (!e)
    return;
  heed_batch_free(&e->batch);
  free(e->better);
  free(e->scores);
  free(e->frequencies);
  free(e->watched);
  free(e->entropies);
  free(e->entropy);
  free(e);
}

/* How many tokens come before the target when logits are ordered from high to low (equal ones by id).  What is not a number comes first:
 * a broken model must not look perfect. */
static int32_t count_better(const float *logits, int64_t vocabulary, int32_t target) {
  float mine = logits[target];
  int32_t better = 0;
  for (int64_t v = 0; v < target; v++)
    better += !(logits[v] < mine);
  for (int64_t v = target + 1; v < vocabulary; v++)
    better += !(logits[v] <= mine);
  return better;
}

static void score_pairs(heed_token_evaluator *e, const float *parameters, slice_scores *scores) {
  const heed_batch *batch = &e->batch;
  const double *losses;
  const float *logits = heed_model_next_sentence(e->spec.model, parameters, batch, &losses);
  for (int64_t g = 0; g < batch->slices; g++) {
    for (int64_t b = batch->slice_rows[g]; b < batch->slice_rows[g + 1]; b++) {
      scores[g].pairs++;
      scores[g].right_pairs += (logits[2 * b + 1] > logits[2 * b]) == batch->next_sentence[b];
    }
  }
}

/* Sums over the rows of each slice, in their order, so that they are the same whatever slices a pass brings. */
static void sum_entropies(heed_token_evaluator *e, double *sums) {
  const heed_batch *batch = &e->batch;
  const int64_t of_layer = e->spec.config->model.heads, here = e->here, first = here * e->spec.communication->tensor->rank,
                rows = batch->stream.sequences, layers = e->spec.config->model.layers;
  memset(sums, 0, (size_t)(batch->slices * e->heads) * sizeof *sums);
  for (int64_t g = 0; g < batch->slices; g++)
    for (int64_t b = batch->slice_rows[g]; b < batch->slice_rows[g + 1]; b++)
      for (int64_t i = 0; i < layers * here; i++)
        sums[g * e->heads + i / here * of_layer + first + i % here] += e->watched[(i / here * rows + b) * here + i % here];
}

static void count_group(void *self, const float *logits, int64_t first, int64_t rows) {
  heed_token_evaluator *e = self;
  int64_t vocabulary = e->spec.config->model.vocabulary_size;
#pragma omp parallel for schedule(static)
  for (int64_t m = 0; m < rows; m++)
    e->better[first + m] = count_better(logits + m * vocabulary, vocabulary, e->batch.target_ids[first + m]);
}

static void score_batch(heed_token_evaluator *e, const float *parameters, slice_scores *scores) {
  const heed_batch *batch = &e->batch;
  int64_t vocabulary = e->spec.config->model.vocabulary_size;
  double *frequencies = e->frequencies + e->data->rank * vocabulary;
  memset(scores, 0, (size_t)batch->slices * sizeof *scores);
  if (batch->stream.sequences == 0)
    return;
  const double *losses = heed_model_score(e->spec.model, parameters, batch, count_group, e);
  for (int64_t g = 0; g < batch->slices; g++) {
    scores[g].tokens = (double)(batch->stream.slice_tokens[g + 1] - batch->stream.slice_tokens[g]);
    for (int64_t m = batch->slice_targets[g]; m < batch->slice_targets[g + 1]; m++) {
      scores[g].loss += losses[m];
      scores[g].targets++;
      scores[g].right += e->better[m] == 0;
      scores[g].right_top5 += e->better[m] < 5;
      scores[g].masked += batch->target_is_mask[m];
      scores[g].right_masked += batch->target_is_mask[m] && e->better[m] == 0;
      scores[g].bytes += (double)heed_tokenizer_token_bytes(e->spec.tokenizer, batch->target_ids[m]);
      frequencies[batch->target_ids[m]]++;
    }
  }
  if (e->spec.config->objective.next_sentence)
    score_pairs(e, parameters, scores);
}

/* The means over so many queries, of the heads of all parts. */
static void mean_entropies(heed_token_evaluator *e, double queries) {
  heed_communication *c = e->data, *tensor = e->spec.communication->tensor;
  double *own = e->entropy + tensor->rank * e->heads;
  c->allgather(c, e->entropies, e->slices * e->heads);
  for (int64_t head = 0; head < e->heads; head++)
    own[head] = heed_tree_sum(e->entropies + head, c->size * e->slices, e->heads) / queries;
  tensor->allgather(tensor, e->entropy, e->heads);
  for (int64_t i = e->heads; i < tensor->size * e->heads; i++)
    e->entropy[i % e->heads] += e->entropy[i];
}

/* Scores of one global batch, summed over all slices along the tree; of the first one the entropies too. */
static slice_scores score_global_batch(heed_token_evaluator *e, const float *parameters, int64_t number) {
  heed_communication *c = e->data;
  int64_t stride = e->slices * SCORES, heads_stride = e->slices * e->heads;
  double *mine = e->scores + c->rank * stride, *entropies = e->entropies + c->rank * heads_stride;
  bool watched = number == 0;
  heed_model_watch(e->spec.model, watched ? e->watched : NULL);
  for (int64_t done = 0; done < e->slices; done += e->spec.slices_at_once) {
    heed_pulse_enter(HEED_PHASE_READING_BATCH);
    heed_sampler_read(e->spec.sampler, &e->batch, (uint32_t)number, c->rank * e->slices + done, e->spec.slices_at_once);
    heed_pulse_enter(HEED_PHASE_EVALUATING);
    score_batch(e, parameters, (slice_scores *)(mine + done * SCORES));
    if (watched)
      sum_entropies(e, entropies + done * e->heads);
  }
  heed_model_watch(e->spec.model, NULL);
  c->allgather(c, e->scores, stride);
  double total[SCORES];
  for (int n = 0; n < SCORES; n++)
    total[n] = heed_tree_sum(e->scores + n, c->size * e->slices, SCORES);
  slice_scores scores;
  memcpy(&scores, total, sizeof scores);
  if (watched)
    mean_entropies(e, scores.tokens > 0 ? scores.tokens : 1);
  return scores;
}

static double highest_frequency(heed_token_evaluator *e) {
  heed_communication *c = e->data;
  int64_t vocabulary = e->spec.config->model.vocabulary_size;
  double highest = 0;
  c->allgather(c, e->frequencies, vocabulary);
  for (int64_t v = 0; v < vocabulary; v++) {
    double count = 0;
    for (int rank = 0; rank < c->size; rank++)
      count += e->frequencies[rank * vocabulary + v];
    highest = count > highest ? count : highest;
  }
  return highest;
}

/* Often on a terminal, seldom elsewhere. */
static void show(const heed_token_evaluator *e, int64_t done, int64_t all, double *last) {
  double now = heed_seconds();
  if (!e->spec.shows || now - *last < (heed_log_is_terminal() ? 0.3 : 30.0))
    return;
  *last = now;
  heed_progress("%lld of %lld batches", (long long)done, (long long)all);
}

heed_token_scores heed_token_evaluate(heed_token_evaluator *e, const float *parameters, int64_t batches) {
  int64_t all = (heed_sampler_samples(e->spec.sampler) + e->spec.config->train.batch_sequences - 1) / e->spec.config->train.batch_sequences;
  slice_scores sum = {0};
  heed_pulse_enter(HEED_PHASE_EVALUATING);
  memset(e->frequencies, 0, (size_t)(e->data->size * e->spec.config->model.vocabulary_size) * sizeof *e->frequencies);
  double last = heed_seconds();
  all = batches > 0 && batches < all ? batches : all;
  for (int64_t n = 0; n < all; n++) {
    show(e, n, all, &last);
    slice_scores scores = score_global_batch(e, parameters, n);
    const double *from = (const double *)&scores;
    double *to = (double *)&sum;
    for (int i = 0; i < SCORES; i++)
      to[i] += from[i];
  }
  if (e->spec.shows)
    heed_progress_end();
  double highest = highest_frequency(e), targets = sum.targets > 0 ? sum.targets : 1;
  return (heed_token_scores){.loss = sum.loss / targets,
                             .perplexity = exp(sum.loss / targets),
                             .accuracy = sum.right / targets,
                             .accuracy_top5 = sum.right_top5 / targets,
                             .accuracy_masked = sum.masked > 0 ? sum.right_masked / sum.masked : NAN,
                             .unigram_accuracy = highest / targets,
                             .targets = (int64_t)sum.targets,
                             .masked_targets = (int64_t)sum.masked,
                             .bits_per_byte = sum.bytes > 0 ? sum.loss / (log(2) * sum.bytes) : NAN,
                             .next_sentence_accuracy = sum.pairs > 0 ? sum.right_pairs / sum.pairs : NAN};
}

const double *heed_token_entropy(const heed_token_evaluator *e) {
  return e->entropy;
}
