/** Next-sentence head (Devlin et al. 2019): pooled = tanh(h_first·W_pᵀ + b_p), logits = pooled·Wᵀ + b over {real, random}. */
#ifndef HEED_MODELS_NEXT_SENTENCE_HEAD_H
#define HEED_MODELS_NEXT_SENTENCE_HEAD_H

#include "heed/config.h"
#include "layers/linear.h"

typedef struct heed_next_sentence_head {
  heed_linear pooler, classifier;
  size_t first, pooled;      /**< saved: [B, C] each, elements */
  size_t logits;             /**< saved: [B, 2] */
  size_t d_logits, d_pooled; /**< backward's, shared: [B, 2], in fp32 the logits' memory; [B, C]; elements */
  size_t d_first;            /**< backward's, shared: [B, C] */
  size_t losses;             /**< double [B] */
} heed_next_sentence_head;

heed_status heed_next_sentence_head_plan(heed_next_sentence_head *head, heed_plan *plan, const heed_model_config *config,
                                         const char *pooler);

/** Logits [B, 2] from the hidden states [T, C]: of the first token of each sequence.  Opens its parallel region. */
const float *heed_next_sentence_head_forward(const heed_context *context, const float *hidden, const heed_next_sentence_head *head);

/** After forward: −log p(label) of each sequence, in double [B].  In training the logits are used up for their gradient times `scale`,
 * which brings a sum over sequences to the weight of the sum over masked tokens that it is divided with. */
const double *heed_next_sentence_head_loss(const heed_context *context, float scale, const heed_next_sentence_head *head);

/** After loss, in training: d_hidden[T, C] += the head's part; gradients of parameters are written. */
void heed_next_sentence_head_backward(const heed_context *context, float *d_hidden, const heed_next_sentence_head *head);

#endif
