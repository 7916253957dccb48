#include "measure/flops.h"

void heed_work_add(heed_work *work, const heed_batch *batch) {
  const heed_stream *stream = &batch->stream;
  work->sequences += stream->sequences;
  work->tokens += stream->tokens;
  work->targets += batch->targets;
  for (int64_t b = 0; b < stream->sequences; b++) {
    int64_t length = stream->offsets[b + 1] - stream->offsets[b];
    work->pairs += length * length;
  }
}

double heed_training_flops(const heed_model_config *model, const heed_work *work, bool pooler) {
  double c = (double)model->hidden, f = (double)model->feed_forward, v = (double)model->vocabulary_size;
  double layer = (double)work->tokens * (8 * c * c + 4 * c * f) + 4 * c * (double)work->pairs;
  double head = (double)work->targets * (2 * c * c + 2 * c * v);
  return 3 * ((double)model->layers * layer + head + (pooler ? (double)work->sequences * 2 * c * c : 0));
}
