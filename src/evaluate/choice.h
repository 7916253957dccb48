/** Choosing a token from logits. */
#ifndef HEED_EVALUATE_CHOICE_H
#define HEED_EVALUATE_CHOICE_H

#include "heed/generation.h"

typedef struct heed_choice heed_choice;

/** Room for choices among `vocabulary` tokens.  Errors: HEED_FAILED when memory is short. */
heed_status heed_choice_create(heed_choice **choice, int64_t vocabulary);
void heed_choice_free(heed_choice *choice);

/** A token drawn from softmax(logits / temperature) over those that top_k and top_p leave: of the k likeliest the fewest whose
 *  probabilities, theirs alone, reach p.  Of equals the lower id comes first.  Temperature 0: the likeliest.
 *  `draw`: uniform in (0, 1).  Returns −1 when the logits are not finite. */
int32_t heed_choice_of(heed_choice *choice, const float *logits, const heed_sampling *sampling, double draw);

#endif
