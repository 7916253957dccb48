/** A model looked into: where each head of each layer looks in a text, what that adds up to, and what the model predicts.
 *  Numbers, as JSON and as a page.  Rank-local; no MPI. */
#ifndef HEED_INSPECTION_H
#define HEED_INSPECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "heed/status.h"

/** A token: its id, its name in the vocabulary, and the name as people read it (␣ for the space in a byte-level token). */
typedef struct heed_inspected_token {
  int32_t id;
  char *name, *shown;
} heed_inspected_token;

typedef struct heed_inspected_guess {
  heed_inspected_token token;
  double probability; /**< softmax over the whole vocabulary */
} heed_inspected_guess;

/** A place where the model predicts: of a model of next tokens each place, else each [MASK], and without any each token of the text as
 *  it stands there. */
typedef struct heed_inspected_place {
  int64_t position;             /**< where the prediction is made */
  int64_t actual;               /**< the token that stands there (or, for next tokens, behind it); −1 where none is known */
  double probability;           /**< that the model gives to that token */
  heed_inspected_guess *likely; /**< [top], likeliest first */
} heed_inspected_place;

/** What the model is. */
typedef struct heed_inspected_model {
  char *checkpoint; /**< its folder */
  char *name;       /**< run.name */
  char *family;
  int64_t step, hidden, vocabulary_size, parameters;
  bool next_token; /**< predicts what follows, so that no token sees what stands behind it */
  bool byte_level; /**< its vocabulary is one of bytes: what is not UTF-8 becomes U+FFFD, not nothing */
} heed_inspected_model;

/** S tokens, L layers of H heads. */
typedef struct heed_inspection {
  heed_inspected_model model;
  char *text, *second_text; /**< as given, bytes that are not UTF-8 replaced; second_text NULL without a second sentence */
  int64_t tokens, layers, heads;
  heed_inspected_token *token; /**< [S] */
  bool *special;               /**< [S] whether it is [CLS] or [SEP] (<|endoftext|>), no part of the text */
  int64_t second;              /**< first token of the second sentence; S without one */
  float *weights;              /**< [L, H, query S, key S], each row sums to 1 */
  float *rollout;  /**< [L, query S, key S]: R_l = A_l · R_{l−1}, R_{−1} = I, A_l = ½ (mean over heads) + ½ I, rows made to sum
                        to 1.  Source: Abnar and Zuidema 2020, section 3 */
  double *entropy; /**< [L, H] −Σ_k w ln w in nats, mean over the queries */
  int64_t places, top;
  heed_inspected_place *place; /**< [places] */
} heed_inspection;

/** Looks at a text, or a pair of sentences, through a checkpoint (its folder, or a run folder: the newest good one).
 *  \param[in] second  NULL for none
 *  \param[in] top  predictions a place
 *  \param[out] inspection  to be freed, also on failure
 *  Errors: HEED_INVALID for a path without a good checkpoint, a text without tokens or longer than the model's positions, a second
 *  sentence for a model without token types, `top` outside the vocabulary, or weights that give numbers that are not finite; HEED_IO for
 *  a failed read; HEED_FAILED when memory is short. */
heed_status heed_inspect(heed_inspection *inspection, const char *checkpoint, const char *text, const char *second, int64_t top);
void heed_inspection_free(heed_inspection *inspection);

/** Prints all numbers as one JSON object.  Errors: HEED_IO when the stream fails. */
heed_status heed_inspection_print(const heed_inspection *inspection, FILE *out);

/** Checks, before any work, that a page can be written to `path`: nothing is there, or a page.  Errors: HEED_INVALID, HEED_IO. */
heed_status heed_inspection_check_output(const char *path);

/** Writes the page: one HTML file that needs nothing else, in the place of an earlier one once it is whole.
 *  Its weights are rounded so that their square roots are whole multiples of 1/65,535, or of 1/255 where there are more than 4 million;
 *  its size is 8/3 or 4/3 bytes a weight.
 *  Errors: HEED_INVALID when `path` is a folder or cannot be; HEED_IO; HEED_FAILED when memory is short. */
heed_status heed_inspection_write(const heed_inspection *inspection, const char *path);

#endif
