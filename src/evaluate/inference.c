#include "heed/inference.h"

#include <math.h>
#include <stdlib.h>

#include "evaluate/likeliest.h"
#include "evaluate/loaded.h"
#include "evaluate/sequence.h"

struct heed_inference {
  heed_loaded loaded;
  heed_sequence sequence;
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
                            .token_head = true};
  HEED_TRY(heed_sequence_create(&in->sequence, config, in->loaded.tokenizer, in->loaded.folder));
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
  heed_sequence_free(&in->sequence);
  free(in);
}

/* Training skips updates that are not finite, so a sound checkpoint of Heed's never comes here; weights from elsewhere may. */
static heed_status not_finite(const heed_inference *in) {
  return heed_error(HEED_INVALID, "%s: its weights give numbers that are not finite for this text", in->loaded.folder);
}

heed_status heed_inference_fill(heed_inference *in, const char *text, int64_t top, heed_prediction **predictions, int64_t *masks) {
  int64_t vocabulary = in->loaded.config.model.vocabulary_size, wanted;
  const heed_batch *batch = &in->sequence.batch;
  if (!in->sequence.framed)
    return heed_error(HEED_INVALID, "%s: it predicts next tokens, not masked ones; heed generate continues a text with it",
                      in->loaded.folder);
  HEED_TRY(heed_sequence_set(&in->sequence, in->loaded.tokenizer, text, NULL, &wanted));
  HEED_TRY(heed_sequence_check(&in->sequence, wanted));
  if (batch->targets == 0)
    return heed_error(HEED_INVALID, "the text has no [MASK]; write [MASK] where a token is to be filled in");
  HEED_TRY(heed_likeliest_check(top, vocabulary));
  heed_prediction *all = malloc((size_t)(batch->targets * top) * sizeof *all);
  if (!all)
    return heed_error(HEED_FAILED, "out of memory for predictions");
  const float *logits = heed_model_logits(in->loaded.model, in->loaded.parameters, &in->sequence.batch);
  for (int64_t m = 0; m < batch->targets; m++) {
    if (!heed_likeliest(all + m * top, top, logits + m * vocabulary, vocabulary)) {
      free(all);
      return not_finite(in);
    }
  }
  *predictions = all;
  *masks = batch->targets;
  return HEED_OK;
}

heed_status heed_inference_embed(heed_inference *in, const char *text, heed_pooling pooling, float *embedding, bool *cut) {
  int64_t width = in->loaded.config.model.hidden, wanted;
  if (pooling == HEED_POOL_CLS && !in->sequence.framed)
    return heed_error(HEED_INVALID, "%s: its texts have no [CLS]; pool by mean", in->loaded.folder);
  HEED_TRY(heed_sequence_set(&in->sequence, in->loaded.tokenizer, text, NULL, &wanted));
  if (cut)
    *cut = wanted > in->sequence.most;
  const float *hidden = heed_model_hidden(in->loaded.model, in->loaded.parameters, &in->sequence.batch);
  int64_t tokens = pooling == HEED_POOL_CLS ? 1 : in->sequence.batch.stream.tokens;
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
