/** Token head: logits over the vocabulary at the targets only, the decoder tied to the word embeddings E.
 *
 *      of masked tokens (Devlin et al. 2019)   n = layer_norm(act(h·Wᵀ + b)),  logits = n·Eᵀ + c
 *      of next tokens (Radford et al. 2019)    logits = h·Eᵀ
 *
 *  With tensor parallelism a rank has a part of the vocabulary.  In training the parts tell each other maxima and sums alone; logits that
 *  somebody looks at are put together. */
#ifndef HEED_MODELS_TOKEN_HEAD_H
#define HEED_MODELS_TOKEN_HEAD_H

#include "layers/embedding.h"
#include "layers/linear.h"

/** Rows of logits where they come in groups: enough that the decoder's weights, read once a group, are worth their way. */
enum { HEED_LOGITS_AT_ONCE = 256 };

/** Names of its parameters; NULL for what a family's head does without.  dense and norm go together. */
typedef struct heed_token_head_names {
  const char *bias, *dense, *norm;
} heed_token_head_names;

typedef struct heed_token_head {
  heed_form form;
  bool transforms; /**< whether it has dense and norm */
  heed_linear dense, decoder;
  heed_layer_norm norm;
  size_t hidden, slopes, normed; /**< saved: [M, C] each, elements; slopes: act′ of what the transform activates */
  size_t after, logits;          /**< saved: [M, C]; [rows_at_once, V], of this part */
  int64_t rows_at_once;          /**< M; few where the logits of a row are dead once their gradient, as elements, has a place of its own */
  size_t d_logits, d_before;     /**< backward's, shared: [M, V], in fp32 the logits' memory; [M, C]; elements */
  size_t d_normed, d_hidden;     /**< backward's, shared: [M, C] each */
  size_t losses;                 /**< double [M] */
  int64_t first, vocabulary;     /**< the part's first id; V of all parts */
  int64_t whole_at_once;         /**< rows of logits that are looked at together */
  size_t whole, sums;            /**< of several parts: [whole_at_once, V]; double [parts][rows_at_once][HEED_SOFTMAX_SUMS] */
  int64_t tied_gradient;         /**< place of the decoder's part of the word embeddings' gradient */
} heed_token_head;

heed_status heed_token_head_plan(heed_token_head *head, heed_plan *plan, const heed_model_config *config, const heed_embedding *embedding,
                                 const heed_token_head_names *names);

/** Reserves the second gradient of the tied table; after all parameters are registered. */
heed_status heed_token_head_tie(heed_token_head *head, heed_plan *plan, const heed_embedding *embedding);

/** Logits [M, V] of the batch's targets from the hidden states [T, C]; NULL for more targets than whole_at_once.  Opens its parallel
 *  region. */
const float *heed_token_head_forward(const heed_context *context, const float *hidden, const heed_token_head *head);

/** After forward: the loss of each target, −log p(target), in double [M]. */
const double *heed_token_head_loss(const heed_context *context, const heed_token_head *head);

/** Looks at the logits [rows, V] of targets [first, first + rows). */
typedef void heed_logits_visit(void *self, const float *logits, int64_t first, int64_t rows);

/** The losses as above of any number of targets, whose logits `visit` sees a group of rows after the other.  Opens its parallel regions. */
const double *heed_token_head_score(const heed_context *context, const float *hidden, heed_logits_visit *visit, void *self,
                                    const heed_token_head *head);

/** Training: the losses as above, and the gradient of the logits, a group of rows after the other.  Opens its parallel regions. */
const double *heed_token_head_train(const heed_context *context, const float *hidden, const heed_token_head *head);

/** After heed_token_head_train: d_hidden[T, C] += the head's part; gradients of parameters are written. */
void heed_token_head_backward(const heed_context *context, float *d_hidden, const heed_token_head *head);

#endif
