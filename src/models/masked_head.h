/** Masked-language-model head (Devlin et al. 2019): at masked positions only,
 *
 *      n = layer_norm(gelu(h·Wᵀ + b)),  logits = n·Eᵀ + c,  E the word embeddings (tied), c a bias of length V. */
#ifndef HEED_MODELS_MASKED_HEAD_H
#define HEED_MODELS_MASKED_HEAD_H

#include "layers/embedding.h"
#include "layers/linear.h"

typedef struct heed_masked_head {
  bool tanh_form;
  heed_linear dense, decoder;
  heed_layer_norm norm;
  size_t hidden, before, after, normed, logits; /**< saved: [M, C] four times, [M, V] */
  size_t d_normed, d_hidden;                    /**< backward's, shared: [M, C] each */
  size_t losses;                                /**< double [M] */
  int64_t tied_gradient;                        /**< place of the decoder's part of the word embeddings' gradient */
} heed_masked_head;

heed_status heed_masked_head_plan(heed_masked_head *head, heed_plan *plan, const heed_model_config *config,
                                  const heed_embedding *embedding);

/** Reserves the second gradient of the tied table; after all parameters are registered. */
heed_status heed_masked_head_tie(heed_masked_head *head, heed_plan *plan, const heed_embedding *embedding);

/** Logits [M, V] of the batch's targets from the hidden states [T, C].  Opens its parallel region. */
const float *heed_masked_head_forward(const heed_context *context, const float *hidden, const heed_masked_head *head);

/** After forward: the loss of each target, −log p(target), in double [M].  In training the logits become their gradient. */
const double *heed_masked_head_loss(const heed_context *context, const heed_masked_head *head);

/** After loss, in training: d_hidden[T, C] += the head's part; parameter gradients are added. */
void heed_masked_head_backward(const heed_context *context, float *d_hidden, const heed_masked_head *head);

#endif
