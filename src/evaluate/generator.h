/** Continues token sequences with a model that is there already: what generation and the samples of a training run share. */
#ifndef HEED_EVALUATE_GENERATOR_H
#define HEED_EVALUATE_GENERATOR_H

#include "heed/config.h"
#include "heed/generation.h"
#include "models/model.h"

typedef struct heed_generator heed_generator;

/** All are borrowed.  The model is planned for `sequences` sequences, as many targets, and `length` tokens of each; with `cache` its
 *  cache_tokens are `length` too. */
typedef struct heed_generator_spec {
  heed_model *model;
  const heed_tokenizer *tokenizer;
  int64_t sequences, length, vocabulary_size;
  bool cache;
} heed_generator_spec;

heed_status heed_generator_create(heed_generator **generator, const heed_generator_spec *spec);
void heed_generator_free(heed_generator *generator);

/** Appends up to `tokens` tokens to each continuation, whose ids have room for `length`; counts are ≥ 1 and < length.
 *  Errors: HEED_INVALID when the model gives numbers that are not finite. */
heed_status heed_generator_run(heed_generator *generator, const float *parameters, heed_continuation *texts, int64_t count, int64_t tokens,
                               const heed_sampling *sampling, heed_generation_watcher watcher, void *self);

#endif
