/** Masked-token evaluation: loss and accuracies over data that are not trained on.  Targets are counted, logits never kept: memory does
 *  not grow with the data. */
#ifndef HEED_EVALUATE_MASKED_H
#define HEED_EVALUATE_MASKED_H

#include "data/sampler.h"
#include "heed/communication.h"
#include "models/model.h"

typedef struct heed_masked_scores {
  double loss;             /**< mean −log p(target) */
  double perplexity;       /**< exp(loss) */
  double accuracy;         /**< share of targets that have the highest logit */
  double accuracy_top5;    /**< … one of the five highest */
  double accuracy_masked;  /**< accuracy over targets shown as [MASK] only */
  double unigram_accuracy; /**< share of targets equal to the most frequent target */
  int64_t targets, masked_targets;
  double next_sentence_accuracy; /**< NaN without that task */
} heed_masked_scores;

typedef struct heed_masked_evaluator heed_masked_evaluator;

/** `model` was planned for the slices that this rank reads at once (slices / ranks, or a divisor); all are borrowed.
 *  slices: of a global batch; batch_sequences: its rows; slices_at_once: what the model was planned for. */
typedef struct heed_masked_spec {
  heed_model *model;
  const heed_sampler *sampler;
  heed_communication *communication;
  int64_t vocabulary_size, batch_sequences, slices, slices_at_once, sequence_length;
  bool next_sentence;
} heed_masked_spec;

/** Allocates a batch and counters.  Rank-local.  Errors: HEED_FAILED when memory is short. */
heed_status heed_masked_evaluator_create(heed_masked_evaluator **evaluator, const heed_masked_spec *spec);
void heed_masked_evaluator_free(heed_masked_evaluator *evaluator);

/** Evaluates `batches` batches from the start of the data (0 = all).  Collective; the same bits on any number of ranks. */
heed_masked_scores heed_masked_evaluate(heed_masked_evaluator *evaluator, const float *parameters, int64_t batches);

#endif
