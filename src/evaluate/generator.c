#include "evaluate/generator.h"

#include <stdlib.h>

#include "evaluate/choice.h"
#include "heed/random.h"

struct heed_generator {
  heed_generator_spec spec;
  heed_batch batch; /* one slice */
  heed_choice *choice;
};

heed_status heed_generator_create(heed_generator **result, const heed_generator_spec *spec) {
  heed_generator *g = calloc(1, sizeof *g);
  if (!g)
    return heed_error(HEED_FAILED, "out of memory for a generator");
  g->spec = *spec;
  heed_status status = heed_batch_create(&g->batch, 1, spec->sequences, spec->sequences * spec->length, spec->sequences, false);
  if (status == HEED_OK)
    status = heed_choice_create(&g->choice, spec->vocabulary_size);
  if (status != HEED_OK) {
    heed_generator_free(g);
    return status;
  }
  *result = g;
  return HEED_OK;
}

void heed_generator_free(heed_generator *g) {
  if (!g)
    return;
  heed_batch_free(&g->batch);
  heed_choice_free(g->choice);
  free(g);
}

static bool is_done(const heed_generator *g, const heed_continuation *text, int64_t tokens) {
  return text->ended || text->count - text->prompt >= tokens || text->count == g->spec.length;
}

/* Adds tokens [first, count) of a text as a row; its last one gets a target, whose logits are wanted. */
static void add_row(heed_batch *batch, const heed_continuation *text, int64_t first) {
  heed_stream *stream = &batch->stream;
  for (int64_t t = first; t < text->count; t++) {
    int64_t at = stream->tokens++;
    stream->ids[at] = text->ids[t];
    stream->positions[at] = (int32_t)t;
    stream->token_types[at] = 0;
    stream->sequence_of[at] = (int32_t)stream->sequences;
  }
  if (first < text->count)
    batch->target_tokens[batch->targets++] = stream->tokens - 1;
  stream->offsets[++stream->sequences] = stream->tokens;
}

/* The rows of a pass: of each text that goes on what the model has not seen, or all of it; of the others nothing.  Returns how many go on.
 */
static int64_t set_batch(heed_generator *g, const heed_continuation *texts, int64_t count, int64_t tokens, bool begin) {
  heed_batch *batch = &g->batch;
  batch->stream.sequences = batch->stream.tokens = batch->targets = 0;
  for (int64_t b = 0; b < g->spec.sequences; b++) { /* the cache has a place for each */
    bool goes_on = b < count && !is_done(g, &texts[b], tokens);
    int64_t all = b < count ? texts[b].count : 0;
    add_row(batch, b < count ? &texts[b] : &(heed_continuation){0}, !goes_on ? all : begin || !g->spec.cache ? 0 : all - 1);
  }
  batch->slices = 1;
  batch->slice_rows[1] = batch->stream.sequences;
  batch->stream.slice_tokens[1] = batch->stream.tokens;
  batch->slice_targets[1] = batch->targets;
  return batch->targets;
}

/* Draws the next token of one text. */
static heed_status take(heed_generator *g, heed_continuation *text, int64_t number, const float *logits, const heed_sampling *sampling) {
  heed_random4 words = heed_philox((uint32_t)text->count, (uint32_t)number, 0, 0, sampling->seed, HEED_FOR_GENERATION);
  int32_t id = heed_choice_of(g->choice, logits, sampling, heed_uniform(words.word[0]));
  if (id < 0)
    return heed_error(HEED_INVALID, "the model's weights give numbers that are not finite for this text");
  text->ended = id == heed_tokenizer_special(g->spec.tokenizer)->separate;
  if (!text->ended)
    text->ids[text->count++] = id;
  return HEED_OK;
}

heed_status heed_generator_run(heed_generator *g, const float *parameters, heed_continuation *texts, int64_t count, int64_t tokens,
                               const heed_sampling *sampling, heed_generation_watcher watcher, void *self) {
  if (g->spec.cache)
    heed_model_forget(g->spec.model);
  for (bool begin = true; set_batch(g, texts, count, tokens, begin) > 0; begin = false) {
    const float *logits =
        g->spec.cache ? heed_model_extend(g->spec.model, parameters, &g->batch) : heed_model_logits(g->spec.model, parameters, &g->batch);
    for (int64_t m = 0; m < g->batch.targets; m++) {
      int64_t b = g->batch.stream.sequence_of[g->batch.target_tokens[m]];
      HEED_TRY(take(g, &texts[b], b, logits + m * g->spec.vocabulary_size, sampling));
      if (watcher)
        watcher(self, b, &texts[b]);
    }
  }
  return HEED_OK;
}
