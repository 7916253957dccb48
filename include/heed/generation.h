/** Text from a causal model: each next token drawn from what the model predicts behind those before it.  Rank-local; no MPI. */
#ifndef HEED_GENERATION_H
#define HEED_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/status.h"
#include "heed/tokenizer.h"

/** How a token is drawn.  Sources: Fan et al. 2018 (top-k), Holtzman et al. 2020 (top-p). */
typedef struct heed_sampling {
  double temperature; /**< divides the logits; 0 = always the likeliest token */
  int64_t top_k;      /**< of the k likeliest only; 0 = all */
  double top_p;       /**< of the likeliest that together reach this probability only; 1 = all */
  uint32_t seed;      /**< the draws are a function of it, the prompt's number and the place of the token */
} heed_sampling;

/** Used by one thread at a time; its own work runs on OpenMP's threads, of which there may be no more than when it was opened. */
typedef struct heed_generation heed_generation;

/** Loads a checkpoint (its folder, or a run folder: the newest good checkpoint) to continue up to `prompts` texts together.
 *  \param[in] cache  whether keys and values of earlier tokens are kept; without, every token costs a pass over all before it
 *  Errors: HEED_INVALID for a path without a good checkpoint, or a model that is not causal; HEED_IO; HEED_FAILED when memory is short. */
heed_status heed_generation_open(heed_generation **generation, const char *checkpoint, int64_t prompts, bool cache);
void heed_generation_free(heed_generation *generation);

/** One prompt and what was made of it. */
typedef struct heed_continuation {
  int32_t *ids; /**< [count] the prompt's tokens, then those made */
  int64_t count;
  int64_t prompt; /**< tokens of the prompt */
  bool ended;     /**< whether the text came to its end: <|endoftext|> or [SEP] was drawn (it is not among the ids) */
} heed_continuation;

/** Called for each token as it is made: of prompt number `prompt`, whose continuation so far is given. */
typedef void (*heed_generation_watcher)(void *self, int64_t prompt, const heed_continuation *so_far);

/** Continues `count` prompts by up to `tokens` tokens each, or to the end of the model's positions.  An empty prompt begins a new text.
 *  \param[out] made  [count], each to be freed with heed_continuation_free
 *  \param[in]  watcher  may be NULL
 *  Errors: HEED_INVALID for a prompt that leaves no place for a token, more prompts than were opened for, or weights that give numbers that
 *  are not finite; HEED_FAILED when memory is short. */
heed_status heed_generate(heed_generation *generation, const char *const *prompts, int64_t count, int64_t tokens,
                          const heed_sampling *sampling, heed_continuation *made, heed_generation_watcher watcher, void *self);
void heed_continuation_free(heed_continuation *continuation);

int64_t heed_generation_step(const heed_generation *generation);                    /**< steps that the checkpoint was trained for */
int64_t heed_generation_positions(const heed_generation *generation);               /**< tokens that the model has places for */
const heed_tokenizer *heed_generation_tokenizer(const heed_generation *generation); /**< the checkpoint's; borrowed */

#endif
