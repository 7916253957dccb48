/** Masked-language-model masking of one row.
 *
 *  Fixed: n = min(max_predictions, max(1, round(p · length))) tokens, [CLS] and [SEP] counted in the length: the candidates are
 *  shuffled and the first n taken.  Independent: each candidate with probability p.  Candidates are all tokens but the special ones.
 *  With whole words a candidate is a word (a piece that begins with ## joins the piece before it), and one that would pass n is
 *  skipped.  Each chosen token is replaced by [MASK] (80%), kept (10%), or replaced by a token drawn from the whole vocabulary (10%).
 *  Source: google-research/bert, create_pretraining_data.py; Hugging Face's DataCollatorForLanguageModeling (independent). */
#ifndef HEED_DATA_MASKING_H
#define HEED_DATA_MASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "data/draws.h"
#include "heed/config.h"

enum { HEED_TOKEN_SPECIAL = 1, HEED_TOKEN_CONTINUATION = 2 };

typedef struct heed_mask_rule {
  heed_masking masking;
  double probability;
  int64_t max_predictions; /**< 0 = none */
  bool whole_word;
  int64_t vocabulary_size;
  const uint8_t *kinds; /**< [vocabulary_size] HEED_TOKEN_… flags of each token */
  int32_t mask;         /**< id of [MASK] */
} heed_mask_rule;

/** Where the targets of a row go, in the order of its tokens. */
typedef struct heed_targets {
  int64_t *tokens; /**< first_token + place in the row */
  int32_t *ids;    /**< the token that was there */
  bool *is_mask;   /**< whether [MASK] stands there now */
} heed_targets;

/** Targets that a fixed count takes in a row of `length` tokens, if it has enough candidates.  Halves round to even, as Python's round. */
int64_t heed_mask_count(const heed_mask_rule *rule, int64_t length);

/** The most targets that a row of up to `length` tokens, `specials` of them special, can have. */
int64_t heed_mask_most(const heed_mask_rule *rule, int64_t length, int64_t specials);

/** Masks ids[length], all in [0, vocabulary_size).  Rank-local, no allocation.
 *  \param[out] targets  room for heed_mask_most
 *  \param[in]  first_token  number of the row's first token, added to targets->tokens
 *  \param      scratch  [length], overwritten
 *  \return the number of targets; 0 when the row has no candidate */
int64_t heed_mask_row(const heed_mask_rule *rule, heed_targets targets, int32_t *ids, int64_t length, int64_t first_token, int32_t *scratch,
                      heed_draws *draws);

#endif
