#include <stdlib.h>
#include <string.h>

#include "evaluate/generator.h"
#include "evaluate/loaded.h"
#include "heed/generation.h"

struct heed_generation {
  heed_loaded loaded;
  heed_generator *generator;
  int64_t prompts;
};

static heed_status open_checkpoint(heed_generation *g, const char *path, bool cache) {
  HEED_TRY(heed_loaded_open(&g->loaded, path, heed_alone()));
  const heed_model_config *model = &g->loaded.config.model;
  int64_t most = model->max_positions;
  if (!model->causal)
    return heed_error(HEED_INVALID,
                      "%s: its tokens see those behind them (model.causal: false), so it cannot continue a text; heed fill fills "
                      "in its [MASK]",
                      g->loaded.folder);
  heed_model_sizes sizes = {.sequences = g->prompts,
                            .tokens = g->prompts * most,
                            .targets = g->prompts,
                            .slices = 1,
                            .longest = most,
                            .next_sentence = g->loaded.config.objective.next_sentence,
                            .token_head = true,
                            .cache_tokens = cache ? most : 0};
  HEED_TRY(heed_loaded_weights(&g->loaded, &sizes, heed_alone()));
  heed_generator_spec spec = {.model = g->loaded.model,
                              .tokenizer = g->loaded.tokenizer,
                              .sequences = g->prompts,
                              .length = most,
                              .vocabulary_size = model->vocabulary_size,
                              .cache = cache};
  return heed_generator_create(&g->generator, &spec);
}

heed_status heed_generation_open(heed_generation **result, const char *checkpoint, int64_t prompts, bool cache) {
  heed_generation *g = calloc(1, sizeof *g);
  if (!g)
    return heed_error(HEED_FAILED, "out of memory");
  g->prompts = prompts;
  heed_status status = open_checkpoint(g, checkpoint, cache);
  if (status != HEED_OK) {
    heed_generation_free(g);
    return status;
  }
  *result = g;
  return HEED_OK;
}

void heed_generation_free(heed_generation *g) {
  if (!g)
    return;
  heed_generator_free(g->generator);
  heed_loaded_free(&g->loaded);
  free(g);
}

/* The prompt's tokens, with room for all that the model has places for; a text without tokens begins with the separator. */
static heed_status set_prompt(const heed_generation *g, const char *text, heed_continuation *made) {
  int64_t capacity = 0, count, most = g->loaded.config.model.max_positions;
  HEED_TRY(heed_tokenizer_encode(g->loaded.tokenizer, text, strlen(text), &made->ids, &capacity, &count));
  if (count >= most)
    return heed_error(HEED_INVALID, "the prompt has %lld tokens; the model has places for %lld, what is made included: shorten it",
                      (long long)count, (long long)most);
  int32_t *ids = realloc(made->ids, (size_t)most * sizeof *ids);
  if (!ids)
    return heed_error(HEED_FAILED, "out of memory for %lld tokens", (long long)most);
  made->ids = ids;
  if (count == 0)
    ids[count++] = heed_tokenizer_special(g->loaded.tokenizer)->separate;
  made->count = made->prompt = count;
  return HEED_OK;
}

heed_status heed_generate(heed_generation *g, const char *const *prompts, int64_t count, int64_t tokens, const heed_sampling *sampling,
                          heed_continuation *made, heed_generation_watcher watcher, void *self) {
  heed_status status = HEED_OK;
  memset(made, 0, (size_t)count * sizeof *made);
  if (count > g->prompts)
    return heed_error(HEED_INVALID, "%lld prompts; it was opened for %lld", (long long)count, (long long)g->prompts);
  for (int64_t b = 0; b < count && status == HEED_OK; b++)
    status = set_prompt(g, prompts[b], &made[b]);
  if (status == HEED_OK) {
    status = heed_generator_run(g->generator, g->loaded.parameters, made, count, tokens, sampling, watcher, self);
    if (status != HEED_OK)
      heed_error_in(status, "%s", g->loaded.folder);
  }
  for (int64_t b = 0; b < count && status != HEED_OK; b++)
    heed_continuation_free(&made[b]);
  return status;
}

void heed_continuation_free(heed_continuation *continuation) {
  free(continuation->ids);
  *continuation = (heed_continuation){0};
}

int64_t heed_generation_step(const heed_generation *g) {
  return g->loaded.info.step;
}
int64_t heed_generation_positions(const heed_generation *g) {
  return g->loaded.config.model.max_positions;
}
const heed_tokenizer *heed_generation_tokenizer(const heed_generation *g) {
  return g->loaded.tokenizer;
}
