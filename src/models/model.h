/** A model: embedding, a stack of sublayers, and heads, planned for a largest batch and then run without any allocation. */
#ifndef HEED_MODELS_MODEL_H
#define HEED_MODELS_MODEL_H

#include <stddef.h>

#include "heed/batch.h"
#include "heed/communication.h"
#include "heed/config.h"
#include "heed/parameters.h"
#include "kernels/kernels.h"
#include "models/stack.h"
#include "models/token_head.h"

typedef struct heed_model heed_model;

/** What a model is planned for: the most that one call brings. */
typedef struct heed_model_sizes {
  int64_t sequences, tokens, targets, slices; /* B, T, M, G */
  int64_t longest;                            /**< longest sequence, in tokens */
  bool training;                              /**< whether heed_model_train will be called */
  bool logits_in_groups;                      /**< whether the logits of all targets need never be there at once: heed_model_logits and
                                                   _extend are asked for those of at most HEED_LOGITS_AT_ONCE */
  heed_recompute recompute;                   /**< what heed_model_train makes again instead of keeping it; bits unaffected */
  bool next_sentence;                         /**< whether the next-sentence head and the pooler are there */
  bool token_head;                            /**< whether logits are wanted (not only hidden states) */
  int64_t cache_tokens;                       /**< of a sequence, that heed_model_extend keeps keys and values of; 0 = none */
  heed_communication *tensor;                 /**< ranks that each hold a part of every tensor: they make the same calls, which are
                                                 collective then, and get the same results; NULL: this process holds all */
} heed_model_sizes;

/** The least sizes: for the parameter table and the weights alone, with the token head. */
static inline heed_model_sizes heed_model_sizes_least(bool next_sentence) {
  return (heed_model_sizes){
      .sequences = 1, .tokens = 1, .targets = 1, .slices = 1, .longest = 1, .next_sentence = next_sentence, .token_head = true};
}

/** Sums of a slice, in double: divided by the global counts only after all slices are added along the fixed tree. */
typedef struct heed_slice_sums {
  double token_loss, targets;
  double next_sentence_loss, sequences; /* sequences: those with a next-sentence label */
  double tokens;
} heed_slice_sums;

/** Builds the parameter table and plans all buffers.  No memory of size is taken before heed_model_commit.
 *  Scratch is planned for the threads that OpenMP would use now (omp_get_max_threads): do not raise their number afterwards.
 *  Errors: HEED_INVALID for a family or sizes that do not fit; HEED_FAILED for an OpenBLAS that threads must not call (base/blas.h). */
heed_status heed_model_create(heed_model **model, const heed_model_config *config, const heed_model_sizes *sizes,
                              const heed_kernels *kernels);

/** Allocates the planned buffers.  Errors: HEED_FAILED when memory is short. */
heed_status heed_model_commit(heed_model *model);
void heed_model_free(heed_model *model);

const heed_parameter_table *heed_model_table(const heed_model *model);

/** Bytes of activations, of weight panels and of the threads' scratch that commit takes. */
size_t heed_model_bytes(const heed_model *model);

/** Seconds that this rank has spent so far in sums over the tensor ranks, waiting for slower ones among it. */
double heed_model_adding(const heed_model *model);

/** Takes `elements` for the tensors of two or more dimensions in all calls that follow with these parameters, of which then only those of
 *  one dimension are read; the weights of matrix products are copied, once a step in place of once a product.  Before they are changed
 *  heed_model_unpack must be called, whereupon floats are read and products pack at each call, as is done with all parameters but those
 *  packed.  Does nothing if they are packed, or without elements (NULL): in fp32.  The model is one for training.
 *  \param[in] elements  [total] as in the flat block; borrowed */
void heed_model_pack(heed_model *model, const float *parameters, const void *elements);
void heed_model_unpack(heed_model *model);

/** Training: forward and backward of one batch, dropout drawn from `seed`.  Gradients are written to gradients[gradient_total], all of it.
 *  \param[out] sums  [batch->slices]
 *  \param[in] next_sentence_scale  targets / sequences of the global batch (ignored without that head) */
void heed_model_train(heed_model *model, const float *parameters, float *gradients, const heed_batch *batch, uint32_t seed,
                      float next_sentence_scale, heed_slice_sums *sums);

/** From now on heed_model_train calls `ready(self, first)` as gradients become final; NULL ends it. */
void heed_model_tell_gradients(heed_model *model, heed_gradients_ready *ready, void *self);

/** Hidden states [T, C] of the last layer, without dropout.  Valid until the next call. */
const float *heed_model_hidden(heed_model *model, const float *parameters, const heed_batch *batch);

/** Logits [M, V] at the batch's targets, without dropout; NULL for more targets than were planned for.  Valid until the next call. */
const float *heed_model_logits(heed_model *model, const float *parameters, const heed_batch *batch);

/** From now on heed_model_hidden and heed_model_logits also write the attention weights of the batch's first sequence, of S tokens, into
 *  maps[layers][heads][query][key], S × S each; NULL ends it.  Heads, here and below, are those of this part. */
void heed_model_look(heed_model *model, float *maps);

/** From now on heed_model_hidden and heed_model_logits also write the entropy of each head's attention weights, summed over the queries of
 *  a sequence, into entropy[layers][B][heads], in nats; NULL ends it. */
void heed_model_watch(heed_model *model, double *entropy);

/** Generation: runs the batch's tokens behind those that earlier calls gave the same sequences, whose keys and values are kept; logits
 *  [M, V] at the batch's targets as heed_model_logits gives them for the whole.  The model is causal and was planned with cache_tokens;
 *  every call brings the same number of sequences, of which some may have no new token.  Valid until the next call. */
const float *heed_model_extend(heed_model *model, const float *parameters, const heed_batch *batch);

/** Begins anew: the cache is empty. */
void heed_model_forget(heed_model *model);

/** The losses −log p(target) [M], in double, without dropout; `visit` sees the logits of targets [first, first + rows) at each call.
 *  Valid until the next call. */
const double *heed_model_score(heed_model *model, const float *parameters, const heed_batch *batch, heed_logits_visit *visit, void *self);

/** After heed_model_logits: −log p(target) of each target, in double [M]. */
const double *heed_model_losses(heed_model *model, const heed_batch *batch);

/** After heed_model_hidden, _logits or _score: logits [B, 2] of the next-sentence head and their losses [B]; the batch has labels. */
const float *heed_model_next_sentence(heed_model *model, const float *parameters, const heed_batch *batch, const double **losses);

#endif
