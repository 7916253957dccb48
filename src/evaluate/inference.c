#include "heed/inference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate/loaded.h"

struct heed_inference {
  heed_loaded loaded;
  heed_batch batch; /* one sequence, one slice */
  int32_t *ids;     /* a text's tokens, grown as needed */
  int64_t ids_capacity;
};

static heed_status open_checkpoint(heed_inference *in, const char *path) {
  HEED_TRY(heed_loaded_open(&in->loaded, path, heed_alone()));
  const heed_config *config = &in->loaded.config;
  int64_t most = config->model.max_positions;
  heed_model_sizes sizes = {.sequences = 1,
                            .tokens = most,
                            .targets = most,
                            .slices = 1,
                            .longest = most,
                            .next_sentence = config->objective.next_sentence,
                            .masked_head = true};
  HEED_TRY(heed_batch_create(&in->batch, 1, 1, most, most, false));
  return heed_loaded_weights(&in->loaded, &sizes, heed_alone());
}

heed_status heed_inference_open(heed_inference **result, const char *checkpoint) {
  heed_inference *in = calloc(1, sizeof *in);
  if (!in)
    return heed_error(HEED_FAILED, "out of memory");
  heed_status status = open_checkpoint(in, checkpoint);
  if (status != HEED_OK) {
    heed_inference_free(in);
    return status;
  }
  *result = in;
  return HEED_OK;
}

void heed_inference_free(heed_inference *in) {
  if (!in)
    return;
  heed_loaded_free(&in->loaded);
  heed_batch_free(&in->batch);
  free(in->ids);
  free(in);
}

/* [CLS] text [SEP] as the batch, cut at the model's positions.  \param[out] wanted  tokens that it would have uncut */
static heed_status set_text(heed_inference *in, const char *text, int64_t *wanted) {
  const heed_special_tokens *special = heed_tokenizer_special(in->loaded.tokenizer);
  heed_stream *stream = &in->batch.stream;
  if (special->classify < 0)
    return heed_error(HEED_INVALID, "%s: its vocabulary (%s) has no [CLS], [SEP] and [MASK], between which fill and embed put a text",
                      in->loaded.folder, heed_tokenizer_kind_name(in->loaded.tokenizer));
  int64_t count, most = in->loaded.config.model.max_positions;
  HEED_TRY(heed_tokenizer_encode(in->loaded.tokenizer, text, strlen(text), &in->ids, &in->ids_capacity, &count));
  *wanted = count + 2;
  if (count > most - 2)
    count = most - 2;
  stream->ids[0] = special->classify;
  if (count > 0) /* a text without tokens has no ids either */
    memcpy(stream->ids + 1, in->ids, (size_t)count * sizeof *in->ids);
  stream->ids[count + 1] = special->separate;
  stream->sequences = 1;
  stream->tokens = count + 2;
  stream->offsets[1] = stream->tokens;
  for (int64_t t = 0; t < stream->tokens; t++)
    stream->positions[t] = (int32_t)t;
  in->batch.slices = 1;
  in->batch.slice_rows[1] = 1;
  in->batch.slice_tokens[1] = stream->tokens;
  in->batch.targets = 0;
  for (int64_t t = 1; t + 1 < stream->tokens; t++)
    if (stream->ids[t] == special->mask)
      in->batch.target_tokens[in->batch.targets++] = t;
  in->batch.slice_targets[1] = in->batch.targets;
  return HEED_OK;
}

/* Training skips updates that are not finite, so a sound checkpoint of Heed's never comes here; weights from elsewhere may. */
static heed_status not_finite(const heed_inference *in) {
  return heed_error(HEED_INVALID, "%s: its weights give numbers that are not finite for this text", in->loaded.folder);
}

/* The `top` likeliest tokens, likeliest first: an insertion into a short sorted list.  False when the logits are not finite. */
static bool choose_top(heed_prediction *best, int64_t top, const float *logits, int64_t vocabulary) {
  double highest = -INFINITY, sum = 0;
  int64_t kept = 0;
  for (int64_t v = 0; v < vocabulary; v++)
    highest = logits[v] > highest ? logits[v] : highest;
  for (int64_t v = 0; v < vocabulary; v++) {
    double weight = exp(logits[v] - highest);
    sum += weight;
    if (kept == top && weight <= best[top - 1].probability)
      continue;
    int64_t at = kept < top ? kept++ : top - 1;
    for (; at > 0 && best[at - 1].probability < weight; at--)
      best[at] = best[at - 1];
    best[at] = (heed_prediction){(int32_t)v, weight};
  }
  for (int64_t i = 0; i < kept; i++)
    best[i].probability /= sum;
  return isfinite(sum);
}

heed_status heed_inference_fill(heed_inference *in, const char *text, int64_t top, heed_prediction **predictions, int64_t *masks) {
  int64_t vocabulary = in->loaded.config.model.vocabulary_size, wanted;
  HEED_TRY(set_text(in, text, &wanted));
  if (wanted > in->loaded.config.model.max_positions)
    return heed_error(HEED_INVALID, "the text has %lld tokens, [CLS] and [SEP] included; the model takes %lld: shorten it",
                      (long long)wanted, (long long)in->loaded.config.model.max_positions);
  if (in->batch.targets == 0)
    return heed_error(HEED_INVALID, "the text has no [MASK]; write [MASK] where a token is to be filled in");
  if (top < 1 || top > vocabulary)
    return heed_error(HEED_INVALID, "%lld predictions a mask are not possible; the vocabulary has %lld tokens", (long long)top,
                      (long long)vocabulary);
  heed_prediction *all = malloc((size_t)(in->batch.targets * top) * sizeof *all);
  if (!all)
    return heed_error(HEED_FAILED, "out of memory for predictions");
  const float *logits = heed_model_logits(in->loaded.model, in->loaded.parameters, &in->batch);
  for (int64_t m = 0; m < in->batch.targets; m++) {
    if (!choose_top(all + m * top, top, logits + m * vocabulary, vocabulary)) {
      free(all);
      return not_finite(in);
    }
  }
  *predictions = all;
  *masks = in->batch.targets;
  return HEED_OK;
}

heed_status heed_inference_embed(heed_inference *in, const char *text, heed_pooling pooling, float *embedding, bool *cut) {
  int64_t width = in->loaded.config.model.hidden, wanted;
  HEED_TRY(set_text(in, text, &wanted));
  if (cut)
    *cut = wanted > in->loaded.config.model.max_positions;
  const float *hidden = heed_model_hidden(in->loaded.model, in->loaded.parameters, &in->batch);
  int64_t tokens = pooling == HEED_POOL_CLS ? 1 : in->batch.stream.tokens;
  for (int64_t c = 0; c < width; c++) {
    double sum = 0;
    for (int64_t t = 0; t < tokens; t++)
      sum += hidden[t * width + c];
    embedding[c] = (float)(sum / (double)tokens);
    if (!isfinite(embedding[c]))
      return not_finite(in);
  }
  return HEED_OK;
}

int64_t heed_inference_width(const heed_inference *in) {
  return in->loaded.config.model.hidden;
}
int64_t heed_inference_step(const heed_inference *in) {
  return in->loaded.info.step;
}
const heed_tokenizer *heed_inference_tokenizer(const heed_inference *in) {
  return in->loaded.tokenizer;
}
