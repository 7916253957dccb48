/* The next-sentence head against its parts in double: from first tokens only, its loss weighed by `scale` in backward alone. */
#include "models/next_sentence_head.h"

#include "layers/layer_test.h"
#include "reference/linear.h"

enum { C = LAYER_WIDTH, B = LAYER_ROWS, COUNT = LAYER_TOKENS * C };

static void make(layer_fixture *f, heed_next_sentence_head *head, bool training) {
  layer_begin(f, training);
  CU_ASSERT_EQUAL_FATAL(heed_next_sentence_head_plan(head, &f->plan, &f->config, "bert.pooler.dense"), HEED_OK);
}

static void names_are_hugging_faces(void) {
  static const layer_tensor want[] = {{"bert.pooler.dense.weight", C, C},
                                      {"bert.pooler.dense.bias", C, 0},
                                      {"cls.seq_relationship.weight", 2, C},
                                      {"cls.seq_relationship.bias", 2, 0}};
  layer_fixture f;
  heed_next_sentence_head head;
  make(&f, &head, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  size_t bytes = f.arena.peak;
  layer_end(&f);
  make(&f, &head, false);
  CU_ASSERT(f.arena.peak < bytes);
  layer_end(&f);
}

typedef struct twin {
  double *x, *pooled, *logits, *losses, *softmax;
} twin;

static twin twin_forward(const layer_fixture *f, const heed_next_sentence_head *head, const float *hidden) {
  const double *p = f->wide_parameters;
  twin w = {test_doubles(B * C), test_doubles(B * C), test_doubles(B * 2), test_doubles(B), test_doubles(B * 2)};
  for (int64_t i = 0; i < B * C; i++)
    w.x[i] = (double)hidden[f->batch.stream.offsets[i / C] * C + i % C];
  reference_linear_forward(w.pooled, w.x, p + head->pooler.weight, p + head->pooler.bias, B, C, C);
  for (int64_t i = 0; i < B * C; i++)
    w.pooled[i] = tanh(w.pooled[i]);
  reference_linear_forward(w.logits, w.pooled, p + head->classifier.weight, p + head->classifier.bias, B, C, 2);
  for (int64_t i = 0; i < B * 2; i++)
    w.softmax[i] = 1.0 / (1.0 + exp(w.logits[i ^ 1] - w.logits[i]));
  for (int64_t b = 0; b < B; b++)
    w.losses[b] = -log(w.softmax[2 * b + f->batch.next_sentence[b]]);
  return w;
}

static void twin_backward(layer_fixture *f, const heed_next_sentence_head *head, const twin *w, double scale, double *d_hidden) {
  const double *p = f->wide_parameters;
  double *g = f->wide_gradients, *d_logits = test_doubles(B * 2), *d_pooled = test_doubles(B * C), *d_x = test_doubles(B * C);
  for (int64_t i = 0; i < B * 2; i++)
    d_logits[i] = scale * (w->softmax[i] - (f->batch.next_sentence[i / 2] == i % 2));
  reference_linear_backward(d_pooled, g + head->classifier.weight, g + head->classifier.bias, d_logits, w->pooled,
                            p + head->classifier.weight, B, C, 2);
  for (int64_t i = 0; i < B * C; i++)
    d_pooled[i] *= 1.0 - w->pooled[i] * w->pooled[i];
  reference_linear_backward(d_x, g + head->pooler.weight, g + head->pooler.bias, d_pooled, w->x, p + head->pooler.weight, B, C, C);
  for (int64_t i = 0; i < B * C; i++)
    d_hidden[f->batch.stream.offsets[i / C] * C + i % C] += d_x[i];
}

static bool losses_fit(const double *losses, const double *want) {
  bool fit = true;
  for (int64_t b = 0; b < B; b++)
    fit = fit && fabs(losses[b] - want[b]) < 1e-5 * (1 + want[b]); /* of float logits */
  return fit;
}

static void equals_its_twin(void) {
  layer_fixture f;
  heed_next_sentence_head head;
  make(&f, &head, true);
  layer_commit(&f);
  float *hidden = test_random(COUNT, 3, 1.0), *d_hidden = test_random(COUNT, 4, 1.0);
  double *want = test_widen(d_hidden, COUNT);
  twin w = twin_forward(&f, &head, hidden);
  twin_backward(&f, &head, &w, 1.5, want);
  CU_ASSERT(test_error(heed_next_sentence_head_forward(&f.context, hidden, &head), w.logits, 2 * B) < layer_bound);
  CU_ASSERT_TRUE(losses_fit(heed_next_sentence_head_loss(&f.context, 1.5f, &head), w.losses)); /* not scaled */
  heed_next_sentence_head_backward(&f.context, d_hidden, &head);
  CU_ASSERT(test_error(d_hidden, want, COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  layer_end(&f);
}

static void only_first_tokens_are_read(void) {
  layer_fixture f;
  heed_next_sentence_head head;
  make(&f, &head, false);
  layer_commit(&f);
  float *hidden = test_random(COUNT, 3, 1.0);
  twin w = twin_forward(&f, &head, hidden);
  for (int64_t i = 0; i < COUNT; i++)
    if (f.batch.stream.positions[i / C] > 0)
      hidden[i] = NAN;
  const float *logits = heed_next_sentence_head_forward(&f.context, hidden, &head);
  CU_ASSERT_TRUE(losses_fit(heed_next_sentence_head_loss(&f.context, 1.0f, &head), w.losses));
  CU_ASSERT(test_error(logits, w.logits, 2 * B) < layer_bound); /* outside training they outlive the losses */
  layer_end(&f);
}

HEED_TESTS({"names are Hugging Face's", names_are_hugging_faces}, {"equals its twin", equals_its_twin},
           {"only first tokens are read", only_first_tokens_are_read})
