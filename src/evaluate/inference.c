#include "heed/inference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "heed/checkpoint.h"
#include "heed/config.h"
#include "models/model.h"

struct heed_inference {
  heed_checkpoint_info info;
  heed_config config;
  heed_tokenizer *tokenizer;
  heed_model *model;
  float *parameters;
  heed_batch batch; /* one sequence, one slice */
  int32_t *ids;     /* a text's tokens, grown as needed */
  int64_t ids_capacity;
};

static heed_status load_model(heed_inference *in, const char *folder) {
  const heed_model_config *config = &in->config.model;
  heed_model_sizes sizes = {.sequences = 1,
                            .tokens = config->max_positions,
                            .targets = config->max_positions,
                            .slices = 1,
                            .longest = config->max_positions,
                            .next_sentence = in->config.objective.next_sentence,
                            .masked_head = true};
  const heed_kernels *kernels = heed_kernels_choose(NULL);
  if (!kernels)
    return heed_error(HEED_INVALID, "HEED_ISA names an instruction level that is unknown or that this processor lacks");
  HEED_TRY(heed_blas_check());
  HEED_TRY(heed_model_create(&in->model, config, &sizes, kernels));
  HEED_TRY(heed_model_commit(in->model));
  HEED_TRY(heed_batch_create(&in->batch, 1, 1, config->max_positions, config->max_positions, false));
  const heed_parameter_table *table = heed_model_table(in->model);
  in->parameters = aligned_alloc(64, ((size_t)table->total * sizeof(float) + 63) / 64 * 64);
  if (!in->parameters)
    return heed_error(HEED_FAILED, "out of memory for %lld parameters", (long long)table->total);
  heed_checkpoint_tensors tensors = {.table = table, .parameters = in->parameters};
  return heed_checkpoint_load(folder, &tensors, heed_alone());
}

static heed_status open_checkpoint(heed_inference *in, const char *path) {
  char *folder = NULL;
  HEED_TRY(heed_checkpoint_read_info(path, &in->info, &folder));
  heed_status status = heed_config_parse(&in->config, in->info.config, folder, NULL, 0);
  if (status == HEED_OK)
    status = heed_tokenizer_from_text(&in->tokenizer, in->info.vocabulary, strlen(in->info.vocabulary), folder, in->info.cased);
  if (status == HEED_OK && heed_tokenizer_size(in->tokenizer) != in->config.model.vocabulary_size)
    status = heed_error(HEED_INVALID, "%s: its vocabulary has %lld tokens, its model %lld", folder,
                        (long long)heed_tokenizer_size(in->tokenizer), (long long)in->config.model.vocabulary_size);
  if (status == HEED_OK)
    status = load_model(in, folder);
  free(folder);
  return status;
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
  heed_model_free(in->model);
  heed_tokenizer_free(in->tokenizer);
  heed_config_free(&in->config);
  heed_checkpoint_info_free(&in->info);
  heed_batch_free(&in->batch);
  free(in->parameters);
  free(in->ids);
  free(in);
}

/* [CLS] text [SEP] as the batch, cut at the model's positions.  \param[out] wanted  tokens that it would have uncut */
static heed_status set_text(heed_inference *in, const char *text, int64_t *wanted) {
  const heed_special_tokens *special = heed_tokenizer_special(in->tokenizer);
  heed_stream *stream = &in->batch.stream;
  int64_t count, most = in->config.model.max_positions;
  HEED_TRY(heed_tokenizer_encode(in->tokenizer, text, strlen(text), &in->ids, &in->ids_capacity, &count));
  *wanted = count + 2;
  if (count > most - 2)
    count = most - 2;
  stream->ids[0] = special->classify;
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

/* The `top` likeliest tokens, likeliest first: an insertion into a short sorted list. */
static void choose_top(heed_prediction *best, int64_t top, const float *logits, int64_t vocabulary) {
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
}

heed_status heed_inference_fill(heed_inference *in, const char *text, int64_t top, heed_prediction **predictions, int64_t *masks) {
  int64_t vocabulary = in->config.model.vocabulary_size, wanted;
  HEED_TRY(set_text(in, text, &wanted));
  if (wanted > in->config.model.max_positions)
    return heed_error(HEED_INVALID, "the text has %lld tokens, [CLS] and [SEP] included; the model takes %lld: shorten it",
                      (long long)wanted, (long long)in->config.model.max_positions);
  if (in->batch.targets == 0)
    return heed_error(HEED_INVALID, "the text has no [MASK]; write [MASK] where a token is to be filled in");
  if (top < 1 || top > vocabulary)
    return heed_error(HEED_INVALID, "%lld predictions a mask are not possible; the vocabulary has %lld tokens", (long long)top,
                      (long long)vocabulary);
  *predictions = malloc((size_t)(in->batch.targets * top) * sizeof **predictions);
  if (!*predictions)
    return heed_error(HEED_FAILED, "out of memory for predictions");
  const float *logits = heed_model_logits(in->model, in->parameters, &in->batch);
  for (int64_t m = 0; m < in->batch.targets; m++)
    choose_top(*predictions + m * top, top, logits + m * vocabulary, vocabulary);
  *masks = in->batch.targets;
  return HEED_OK;
}

heed_status heed_inference_embed(heed_inference *in, const char *text, heed_pooling pooling, float *embedding, bool *cut) {
  int64_t width = in->config.model.hidden, wanted;
  HEED_TRY(set_text(in, text, &wanted));
  if (cut)
    *cut = wanted > in->config.model.max_positions;
  const float *hidden = heed_model_hidden(in->model, in->parameters, &in->batch);
  int64_t tokens = pooling == HEED_POOL_CLS ? 1 : in->batch.stream.tokens;
  for (int64_t c = 0; c < width; c++) {
    double sum = 0;
    for (int64_t t = 0; t < tokens; t++)
      sum += hidden[t * width + c];
    embedding[c] = (float)(sum / (double)tokens);
  }
  return HEED_OK;
}

int64_t heed_inference_width(const heed_inference *in) {
  return in->config.model.hidden;
}
int64_t heed_inference_step(const heed_inference *in) {
  return in->info.step;
}
const heed_tokenizer *heed_inference_tokenizer(const heed_inference *in) {
  return in->tokenizer;
}
