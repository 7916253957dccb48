/** A text, or a pair of them, as what a model reads: a batch of one sequence.  Rank-local. */
#ifndef HEED_EVALUATE_SEQUENCE_H
#define HEED_EVALUATE_SEQUENCE_H

#include "heed/batch.h"
#include "heed/config.h"
#include "heed/tokenizer.h"

typedef struct heed_sequence {
  heed_batch batch; /**< one sequence, one slice */
  int64_t most;     /**< tokens at most: the model's positions */
  bool framed;      /**< whether texts stand between [CLS] and [SEP]: as models of masked tokens are trained */
  int32_t *ids;     /**< a text's tokens, grown as needed */
  int64_t capacity;
} heed_sequence;

/** For texts of this model and vocabulary.  `name`: of the checkpoint, for the message.
 *  Errors: HEED_INVALID for a model of masked tokens whose vocabulary has no [CLS], [SEP] and [MASK]; HEED_FAILED when memory is short; the
 *  sequence is to be freed then too. */
heed_status heed_sequence_create(heed_sequence *sequence, const heed_config *config, const heed_tokenizer *tokenizer, const char *name);
void heed_sequence_free(heed_sequence *sequence);

/** [CLS] text [SEP], or [CLS] text [SEP] second [SEP] with token types 0 and 1; not framed the texts' tokens alone,
 *  or the separator where there are none.  Cut at the model's positions, [SEP] kept.  The targets are its [MASK]s.
 *  \param[in] second  NULL for none
 *  \param[out] wanted  tokens that it would have uncut
 *  Errors: HEED_FAILED when memory is short. */
heed_status heed_sequence_set(heed_sequence *sequence, const heed_tokenizer *tokenizer, const char *text, const char *second,
                              int64_t *wanted);

/** Refuses a sequence that was cut.  Errors: HEED_INVALID. */
heed_status heed_sequence_check(const heed_sequence *sequence, int64_t wanted);

/** Makes tokens [first, end) the targets. */
void heed_sequence_target(heed_sequence *sequence, int64_t first, int64_t end);

#endif
