#include "evaluate/masked.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"

/* What is summed over a slice, in double. */
typedef struct slice_scores {
  double loss, targets, right, right_top5, masked, right_masked, pairs, right_pairs;
} slice_scores;

enum { SCORES = sizeof(slice_scores) / sizeof(double) };

struct heed_masked_evaluator {
  heed_masked_spec spec;
  heed_batch batch;
  int64_t slices;      /* of this rank */
  int32_t *better;     /* [targets] tokens with a higher logit than the target's */
  double *scores;      /* [ranks][slices][SCORES] */
  double *frequencies; /* [ranks][V] how often each token is a target */
};

heed_status heed_masked_evaluator_create(heed_masked_evaluator **result, const heed_masked_spec *spec) {
  heed_masked_evaluator *e = calloc(1, sizeof *e);
  if (!e)
    return heed_error(HEED_FAILED, "out of memory for the evaluation");
  e->spec = *spec;
  e->slices = spec->slices / spec->communication->size;
  int64_t rows = spec->batch_sequences / spec->slices * spec->slices_at_once, targets = heed_sampler_most_targets(spec->sampler, rows);
  size_t ranks = (size_t)spec->communication->size;
  heed_status status = heed_batch_create(&e->batch, spec->slices_at_once, rows, rows * spec->sequence_length, targets, spec->next_sentence);
  if (status == HEED_OK && !((e->better = calloc((size_t)targets + 1, sizeof *e->better)) &&
                             (e->scores = calloc(ranks * (size_t)e->slices * SCORES, sizeof *e->scores)) &&
                             (e->frequencies = calloc(ranks * (size_t)spec->vocabulary_size, sizeof *e->frequencies))))
    status = heed_error(HEED_FAILED, "out of memory for the evaluation");
  if (status != HEED_OK) {
    heed_masked_evaluator_free(e);
    return status;
  }
  *result = e;
  return HEED_OK;
}

void heed_masked_evaluator_free(heed_masked_evaluator *e) {
  if (!e)
    return;
  heed_batch_free(&e->batch);
  free(e->better);
  free(e->scores);
  free(e->frequencies);
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

static void score_pairs(heed_masked_evaluator *e, const float *parameters, slice_scores *scores) {
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

static void score_batch(heed_masked_evaluator *e, const float *parameters, slice_scores *scores) {
  const heed_batch *batch = &e->batch;
  int64_t vocabulary = e->spec.vocabulary_size;
  double *frequencies = e->frequencies + e->spec.communication->rank * vocabulary;
  memset(scores, 0, (size_t)batch->slices * sizeof *scores);
  if (batch->stream.sequences == 0)
    return;
  const float *logits = heed_model_logits(e->spec.model, parameters, batch);
  const double *losses = heed_model_losses(e->spec.model, batch);
#pragma omp parallel for schedule(static)
  for (int64_t m = 0; m < batch->targets; m++)
    e->better[m] = count_better(logits + m * vocabulary, vocabulary, batch->target_ids[m]);
  for (int64_t g = 0; g < batch->slices; g++) {
    for (int64_t m = batch->slice_targets[g]; m < batch->slice_targets[g + 1]; m++) {
      scores[g].loss += losses[m];
      scores[g].targets++;
      scores[g].right += e->better[m] == 0;
      scores[g].right_top5 += e->better[m] < 5;
      scores[g].masked += batch->target_is_mask[m];
      scores[g].right_masked += batch->target_is_mask[m] && e->better[m] == 0;
      frequencies[batch->target_ids[m]]++;
    }
  }
  if (e->spec.next_sentence)
    score_pairs(e, parameters, scores);
}

/* Scores of one global batch, summed over all slices along the tree. */
static slice_scores score_global_batch(heed_masked_evaluator *e, const float *parameters, int64_t number) {
  heed_communication *c = e->spec.communication;
  int64_t stride = e->slices * SCORES;
  double *mine = e->scores + c->rank * stride;
  for (int64_t done = 0; done < e->slices; done += e->spec.slices_at_once) {
    heed_sampler_read(e->spec.sampler, &e->batch, (uint32_t)number, c->rank * e->slices + done, e->spec.slices_at_once);
    score_batch(e, parameters, (slice_scores *)(mine + done * SCORES));
  }
  c->allgather(c, e->scores, stride);
  double total[SCORES];
  for (int n = 0; n < SCORES; n++)
    total[n] = heed_tree_sum(e->scores + n, c->size * e->slices, SCORES);
  slice_scores scores;
  memcpy(&scores, total, sizeof scores);
  return scores;
}

static double highest_frequency(heed_masked_evaluator *e) {
  heed_communication *c = e->spec.communication;
  int64_t vocabulary = e->spec.vocabulary_size;
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

heed_masked_scores heed_masked_evaluate(heed_masked_evaluator *e, const float *parameters, int64_t batches) {
  int64_t all = (heed_sampler_samples(e->spec.sampler) + e->spec.batch_sequences - 1) / e->spec.batch_sequences;
  slice_scores sum = {0};
  memset(e->frequencies, 0, (size_t)(e->spec.communication->size * e->spec.vocabulary_size) * sizeof *e->frequencies);
  for (int64_t n = 0; n < (batches > 0 && batches < all ? batches : all); n++) {
    slice_scores scores = score_global_batch(e, parameters, n);
    const double *from = (const double *)&scores;
    double *to = (double *)&sum;
    for (int i = 0; i < SCORES; i++)
      to[i] += from[i];
  }
  double highest = highest_frequency(e), targets = sum.targets > 0 ? sum.targets : 1;
  return (heed_masked_scores){.loss = sum.loss / targets,
                              .perplexity = exp(sum.loss / targets),
                              .accuracy = sum.right / targets,
                              .accuracy_top5 = sum.right_top5 / targets,
                              .accuracy_masked = sum.masked > 0 ? sum.right_masked / sum.masked : 0,
                              .unigram_accuracy = highest / targets,
                              .targets = (int64_t)sum.targets,
                              .masked_targets = (int64_t)sum.masked,
                              .next_sentence_accuracy = sum.pairs > 0 ? sum.right_pairs / sum.pairs : NAN};
}
