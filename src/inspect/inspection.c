#include "heed/inspection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate/likeliest.h"
#include "evaluate/loaded.h"
#include "evaluate/sequence.h"
#include "inspect/numbers.h"
#include "inspect/shown.h"

static heed_status out_of_memory(int64_t tokens) {
  return heed_error(HEED_FAILED, "out of memory for the attention of %lld tokens", (long long)tokens);
}

static bool predicts_next(const heed_config *config) {
  return config->objective.predict == HEED_PREDICT_NEXT_TOKEN;
}

static heed_status take_token(heed_inspected_token *token, const heed_tokenizer *tokenizer, int32_t id) {
  *token = (heed_inspected_token){id, strdup(heed_tokenizer_token(tokenizer, id)), heed_shown_token(tokenizer, id)};
  return token->name && token->shown ? HEED_OK : out_of_memory(1);
}

static heed_status take_model(heed_inspected_model *model, const heed_loaded *loaded) {
  const heed_model_config *config = &loaded->config.model;
  *model = (heed_inspected_model){.checkpoint = heed_shown_text(loaded->folder),
                                  .name = heed_shown_text(loaded->config.run.name),
                                  .family = strdup(config->family),
                                  .step = loaded->info.step,
                                  .hidden = config->hidden,
                                  .vocabulary_size = config->vocabulary_size,
                                  .parameters = heed_model_table(loaded->model)->total,
                                  .byte_level = heed_tokenizer_kind(loaded->tokenizer) == HEED_BPE,
                                  .next_token = predicts_next(&loaded->config)};
  return model->checkpoint && model->name && model->family ? HEED_OK : out_of_memory(1);
}

static heed_status take_tokens(heed_inspection *in, const heed_stream *stream, const heed_tokenizer *tokenizer) {
  const heed_special_tokens *special = heed_tokenizer_special(tokenizer);
  in->token = calloc((size_t)stream->tokens, sizeof *in->token);
  in->special = calloc((size_t)stream->tokens, sizeof *in->special);
  if (!in->token || !in->special)
    return out_of_memory(stream->tokens);
  in->tokens = in->second = stream->tokens;
  for (int64_t t = stream->tokens - 1; t >= 0; t--) {
    in->special[t] = stream->ids[t] == special->classify || stream->ids[t] == special->separate;
    if (stream->token_types[t] == 1)
      in->second = t;
    HEED_TRY(take_token(&in->token[t], tokenizer, stream->ids[t]));
  }
  return HEED_OK;
}

/* Where predictions are wanted, and what stands there in truth. */
static void choose_places(heed_sequence *sequence, const heed_special_tokens *special, bool next_token) {
  heed_batch *batch = &sequence->batch;
  int64_t tokens = batch->stream.tokens;
  if (next_token)
    heed_sequence_target(sequence, 0, tokens);
  else if (batch->targets == 0) /* between [CLS] and the last [SEP] */
    heed_sequence_target(sequence, 1, tokens - 1);
  for (int64_t m = 0; m < batch->targets; m++) {
    int64_t at = batch->target_tokens[m] + next_token;
    batch->target_is_mask[m] = at == tokens || batch->stream.ids[at] == special->mask;
    batch->target_ids[m] = at < tokens ? batch->stream.ids[at] : 0;
  }
}

static heed_status take_place(heed_inspection *in, int64_t m, const heed_batch *batch, const heed_tokenizer *tokenizer,
                              const float *logits) {
  int64_t vocabulary = in->model.vocabulary_size;
  heed_inspected_place *place = &in->place[m];
  heed_prediction *best = malloc((size_t)in->top * sizeof *best);
  place->position = batch->target_tokens[m];
  place->actual = batch->target_is_mask[m] ? -1 : place->position + in->model.next_token;
  place->likely = calloc((size_t)in->top, sizeof *place->likely);
  heed_status status = best && place->likely ? HEED_OK : out_of_memory(1);
  if (status == HEED_OK && !heed_likeliest(best, in->top, logits + m * vocabulary, vocabulary))
    status = heed_error(HEED_INVALID, "%s: its weights give numbers that are not finite for this text", in->model.checkpoint);
  for (int64_t i = 0; status == HEED_OK && i < in->top; i++) {
    place->likely[i].probability = best[i].probability;
    status = take_token(&place->likely[i].token, tokenizer, best[i].id);
  }
  free(best);
  return status;
}

static heed_status take_numbers(heed_inspection *in, heed_loaded *loaded, const heed_batch *batch) {
  int64_t maps = in->layers * in->heads, map = in->tokens * in->tokens;
  in->weights = calloc((size_t)(maps * map), sizeof *in->weights);
  in->rollout = calloc((size_t)(in->layers * map), sizeof *in->rollout);
  in->entropy = calloc((size_t)maps, sizeof *in->entropy);
  in->place = calloc((size_t)batch->targets + 1, sizeof *in->place);
  if (!in->weights || !in->rollout || !in->entropy || !in->place)
    return out_of_memory(in->tokens);
  heed_model_look(loaded->model, in->weights);
  const float *logits = heed_model_logits(loaded->model, loaded->parameters, batch);
  heed_model_look(loaded->model, NULL);
  in->places = batch->targets;
  for (int64_t m = 0; m < in->places; m++)
    HEED_TRY(take_place(in, m, batch, loaded->tokenizer, logits));
  const double *losses = heed_model_losses(loaded->model, batch);
  for (int64_t m = 0; m < in->places; m++)
    in->place[m].probability = in->place[m].actual < 0 ? 0 : exp(-losses[m]);
  for (int64_t i = 0; i < maps; i++)
    in->entropy[i] = heed_map_entropy(in->weights + i * map, in->tokens);
  return heed_rollout(in->rollout, in->weights, in->layers, in->heads, in->tokens);
}

static heed_status check(const heed_loaded *loaded, const heed_sequence *sequence, const char *second, int64_t wanted, int64_t top) {
  const heed_model_config *config = &loaded->config.model;
  if (second && config->token_types < 2)
    return heed_error(HEED_INVALID, "a second sentence is not possible: %s has no token types that tell it from the first", loaded->folder);
  if (wanted == (sequence->framed ? 2 + (second != NULL) : 0))
    return heed_error(HEED_INVALID, "the text has no tokens; give a text with words in it");
  HEED_TRY(heed_sequence_check(sequence, wanted));
  return heed_likeliest_check(top, config->vocabulary_size);
}

static heed_status look(heed_inspection *in, heed_loaded *loaded, heed_sequence *sequence, const char *checkpoint, const char *text,
                        const char *second) {
  HEED_TRY(heed_loaded_open(loaded, checkpoint, heed_alone()));
  const heed_config *config = &loaded->config;
  const heed_batch *batch = &sequence->batch;
  int64_t wanted;
  HEED_TRY(heed_sequence_create(sequence, config, loaded->tokenizer, loaded->folder));
  HEED_TRY(heed_sequence_set(sequence, loaded->tokenizer, text, second, &wanted));
  HEED_TRY(check(loaded, sequence, second, wanted, in->top));
  choose_places(sequence, heed_tokenizer_special(loaded->tokenizer), predicts_next(config));
  heed_model_sizes sizes = {.sequences = 1,
                            .tokens = batch->stream.tokens,
                            .targets = batch->targets,
                            .slices = 1,
                            .longest = batch->stream.tokens,
                            .next_sentence = config->objective.next_sentence,
                            .token_head = true};
  HEED_TRY(heed_loaded_weights(loaded, &sizes, heed_alone()));
  HEED_TRY(take_model(&in->model, loaded));
  in->layers = config->model.layers;
  in->heads = config->model.heads;
  HEED_TRY(take_tokens(in, &batch->stream, loaded->tokenizer));
  return take_numbers(in, loaded, batch);
}

heed_status heed_inspect(heed_inspection *in, const char *checkpoint, const char *text, const char *second, int64_t top) {
  heed_loaded loaded = {0};
  heed_sequence sequence = {0};
  *in = (heed_inspection){.text = heed_shown_text(text), .second_text = second ? heed_shown_text(second) : NULL, .top = top};
  if (!in->text || (second && !in->second_text))
    return out_of_memory(1);
  heed_status status = look(in, &loaded, &sequence, checkpoint, text, second);
  heed_sequence_free(&sequence);
  heed_loaded_free(&loaded);
  return status;
}

static void free_token(heed_inspected_token *token) {
  free(token->name);
  free(token->shown);
}

void heed_inspection_free(heed_inspection *in) {
  for (int64_t t = 0; in->token && t < in->tokens; t++)
    free_token(&in->token[t]);
  for (int64_t m = 0; m < in->places; m++) {
    for (int64_t i = 0; in->place[m].likely && i < in->top; i++)
      free_token(&in->place[m].likely[i].token);
    free(in->place[m].likely);
  }
  void *parts[] = {in->model.checkpoint, in->model.name, in->model.family, in->text,  in->second_text, in->token,
                   in->special,          in->weights,    in->rollout,      in->place, in->entropy};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    free(parts[i]);
  *in = (heed_inspection){0};
}
