/** Evaluation of predicted tokens, masked or next: loss and accuracies over data that are not trained on.  Targets are counted, logits
 *  never kept: memory does not grow with the data. */
#ifndef HEED_EVALUATE_TOKEN_SCORES_H
#define HEED_EVALUATE_TOKEN_SCORES_H

#include "data/sampler.h"
#include "heed/communication.h"
#include "models/model.h"

typedef struct heed_token_scores {
  double loss;             /**< mean −log p(target) */
  double perplexity;       /**< exp(loss) */
  double accuracy;         /**< share of targets that have the highest logit */
  double accuracy_top5;    /**< … one of the five highest */
  double accuracy_masked;  /**< accuracy over targets shown as [MASK] only; NaN when there are none */
  double unigram_accuracy; /**< share of targets equal to the most frequent target */
  int64_t targets, masked_targets;
  double bits_per_byte;          /**< Σ −log₂ p(target) / bytes of the targets' text; NaN where tokens stand for no exact text */
  double next_sentence_accuracy; /**< NaN without that task */
} heed_token_scores;

typedef struct heed_token_evaluator heed_token_evaluator;

/** `model` was planned for the slices that this rank reads at once (slices / data ranks, or a divisor), and for the communication's tensor
 *  ranks; all are borrowed.
 *  slices_at_once: what the model was planned for. */
typedef struct heed_token_spec {
  heed_model *model;
  const heed_sampler *sampler;
  const heed_tokenizer *tokenizer;
  heed_communication *communication;
  const heed_config *config; /**< train.batch_sequences, slices, sequence_length; the model's sizes; next_sentence */
  int64_t slices_at_once;
  bool shows; /**< whether heed_token_evaluate tells how far it is */
} heed_token_spec;

/** Allocates a batch and counters.  Rank-local.  Errors: HEED_FAILED when memory is short. */
heed_status heed_token_evaluator_create(heed_token_evaluator **evaluator, const heed_token_spec *spec);
void heed_token_evaluator_free(heed_token_evaluator *evaluator);

/** Evaluates `batches` batches from the start of the data (0 = all).  Collective; the same bits on any number of ranks. */
heed_token_scores heed_token_evaluate(heed_token_evaluator *evaluator, const float *parameters, int64_t batches);

/** After heed_token_evaluate: the entropy of each head's attention, [layers][heads] in nats, mean over the queries of the first batch. */
const double *heed_token_entropy(const heed_token_evaluator *evaluator);

#endif
