#include "evaluate/run.h"

#include "base/pulse.h"
#include "evaluate/loaded.h"
#include "heed/log.h"

static heed_status check(const heed_loaded *loaded, const char *data, const heed_communication *c) {
  if (!data && loaded->config.data.validation_count == 0)
    return heed_error(HEED_INVALID, "%s: its configuration names no validation data; give --data FILE.h5", loaded->folder);
  if (loaded->config.train.slices % c->size != 0)
    return heed_error(HEED_INVALID, "%d ranks cannot share %lld slices; use a number that divides them", c->size,
                      (long long)loaded->config.train.slices);
  return HEED_OK;
}

static heed_status open_sampler(const heed_loaded *loaded, const char *data, heed_sampler **sampler) {
  const char *const given[1] = {data};
  heed_sampler_spec spec = heed_sampler_spec_of(&loaded->config, loaded->tokenizer, true);
  if (data) {
    spec.paths = given;
    spec.path_count = 1;
  }
  return heed_sampler_create(sampler, &spec);
}

/* Slices that go through together: enough for large products, not so many that a large batch takes much memory. */
static int64_t slices_at_once(const heed_train_config *train, int64_t slices) {
  enum { MOST_TOKENS = 16384 };
  int64_t tokens = train->batch_sequences / train->slices * train->sequence_length, at_once = slices;
  while (at_once > 1 && at_once * tokens > MOST_TOKENS)
    at_once = at_once % 2 == 0 ? at_once / 2 : 1;
  return at_once;
}

static heed_status score(heed_loaded *loaded, const heed_sampler *sampler, heed_communication *c, heed_token_scores *scores) {
  const heed_config *config = &loaded->config;
  int64_t at_once = slices_at_once(&config->train, config->train.slices / c->size);
  int64_t rows = config->train.batch_sequences / config->train.slices * at_once;
  heed_model_sizes sizes = {.sequences = rows,
                            .tokens = rows * config->train.sequence_length,
                            .targets = heed_sampler_most_targets(sampler, rows),
                            .slices = at_once,
                            .longest = config->train.sequence_length,
                            .next_sentence = config->objective.next_sentence,
                            .token_head = true};
  heed_token_evaluator *evaluator = NULL;
  HEED_TRY(heed_loaded_weights(loaded, &sizes, c));
  heed_token_spec spec = {.model = loaded->model,
                          .sampler = sampler,
                          .tokenizer = loaded->tokenizer,
                          .communication = c,
                          .config = config,
                          .slices_at_once = at_once,
                          .shows = true};
  heed_info("%lld samples of %lld tokens at most", (long long)heed_sampler_samples(sampler), (long long)config->train.sequence_length);
  heed_status status = c->agree(c, heed_token_evaluator_create(&evaluator, &spec));
  if (status == HEED_OK)
    *scores = heed_token_evaluate(evaluator, loaded->parameters, 0);
  heed_token_evaluator_free(evaluator);
  return status;
}

heed_status heed_evaluate_checkpoint(const char *checkpoint, const char *data, heed_communication *c, heed_token_scores *scores,
                                     int64_t *step) {
  heed_loaded loaded;
  heed_sampler *sampler = NULL;
  heed_pulse_enter(HEED_PHASE_LOADING);
  heed_status status = heed_loaded_open(&loaded, checkpoint, c);
  if (status == HEED_OK)
    status = check(&loaded, data, c);
  heed_pulse_enter(HEED_PHASE_OPENING_DATA);
  if (status == HEED_OK)
    status = c->agree(c, open_sampler(&loaded, data, &sampler));
  if (status == HEED_OK)
    status = score(&loaded, sampler, c, scores);
  *step = loaded.info.step;
  heed_sampler_free(sampler);
  heed_loaded_free(&loaded);
  return status;
}
