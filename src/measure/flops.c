#include "measure/flops.h"

#include "layers/feed_forward.h"
#include "models/family.h"

/* Keys that the queries of a sequence see, in a layer with a window of `window` tokens to each side, 0 = none. */
static int64_t pairs_of(int64_t length, int64_t window, bool causal) {
  int64_t reach = window == 0 || window > length - 1 ? length - 1 : window; /* to one side */
  int64_t one_side = length * reach - reach * (reach + 1) / 2;              /* Σ min(i, reach) */
  return length + (causal ? one_side : 2 * one_side);
}

void heed_work_add(heed_work *work, const heed_model_config *model, const heed_batch *batch) {
  const heed_stream *stream = &batch->stream;
  int64_t all = model->window == 0        ? model->layers
                : model->global_every > 0 ? (model->layers + model->global_every - 1) / model->global_every
                                          : 0;
  work->sequences += stream->sequences;
  work->tokens += stream->tokens;
  work->targets += batch->targets;
  for (int64_t b = 0; b < stream->sequences; b++) {
    int64_t length = stream->offsets[b + 1] - stream->offsets[b];
    if (length > 0)
      work->pairs += all * pairs_of(length, 0, model->causal) + (model->layers - all) * pairs_of(length, model->window, model->causal);
  }
}

double heed_training_flops(const heed_model_config *model, const heed_work *work, bool pooler) {
  double c = (double)model->hidden, f = (double)model->feed_forward, v = (double)model->vocabulary_size;
  const heed_family *family;
  bool gated;
  heed_activation_form_of(model->activation, &gated);
  bool transforms = heed_family_find(&family, model->family) == HEED_OK && family->head.dense;
  double layers = (double)model->layers * (double)work->tokens * (8 * c * c + (gated ? 6 : 4) * c * f) + 4 * c * (double)work->pairs;
  double head = (double)work->targets * ((transforms ? 2 * c * c : 0) + 2 * c * v);
  return 3 * (layers + head + (pooler ? (double)work->sequences * 2 * c * c : 0));
}
