/* The head of masked and of next tokens against its parts in double: at targets only, and with the tied table's second gradient in its own
 * place. */
#include "models/token_head.h"

#include "layers/layer_test.h"
#include "reference/activation.h"
#include "reference/layer_norm.h"
#include "reference/linear.h"

enum { C = LAYER_WIDTH, V = LAYER_VOCABULARY, M = LAYER_TARGETS, COUNT = LAYER_TOKENS * C, ROWS = M * C, LOGITS = M * V };

typedef struct heads {
  heed_embedding embedding;
  heed_token_head head;
} heads;

static const char *const tables[HEED_EMBED_TABLES] = {"bert.embeddings.word_embeddings", "bert.embeddings.position_embeddings",
                                                      "bert.embeddings.token_type_embeddings"};

/* BERT's head, which transforms, and GPT's, which is the decoder alone. */
static const heed_token_head_names of_bert = {"cls.predictions.bias", "cls.predictions.transform.dense",
                                              "cls.predictions.transform.LayerNorm"},
                                   of_gpt = {NULL, NULL, NULL};

static void make_with(layer_fixture *f, heads *h, const heed_token_head_names *names) {
  heed_embedding_spec embedding = {&f->config, tables, "bert.embeddings.LayerNorm", 0.02};
  CU_ASSERT_EQUAL_FATAL(heed_embedding_plan(&h->embedding, &f->plan, &embedding), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_token_head_plan(&h->head, &f->plan, &f->config, &h->embedding, names), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_token_head_tie(&h->head, &f->plan, &h->embedding), HEED_OK);
}

static void make(layer_fixture *f, heads *h, bool training) {
  layer_begin(f, training);
  make_with(f, h, &of_bert);
}

static void the_decoder_is_the_word_table(void) {
  static const layer_tensor want[] = {{"bert.embeddings.word_embeddings.weight", V, C},
                                      {"bert.embeddings.position_embeddings.weight", LAYER_LONGEST, C},
                                      {"bert.embeddings.token_type_embeddings.weight", 2, C},
                                      {"bert.embeddings.LayerNorm.weight", C, 0},
                                      {"bert.embeddings.LayerNorm.bias", C, 0},
                                      {"cls.predictions.bias", V, 0},
                                      {"cls.predictions.transform.dense.weight", C, C},
                                      {"cls.predictions.transform.dense.bias", C, 0},
                                      {"cls.predictions.transform.LayerNorm.weight", C, 0},
                                      {"cls.predictions.transform.LayerNorm.bias", C, 0}};
  layer_fixture f;
  heads h;
  make(&f, &h, true);
  CU_ASSERT_TRUE(LAYER_TABLE_IS(&f.table, want));
  CU_ASSERT_EQUAL(h.head.decoder.weight, h.embedding.tables[HEED_EMBED_WORDS].at);
  CU_ASSERT_EQUAL(h.head.decoder.bias, f.table.items[5].offset);
  CU_ASSERT_EQUAL(f.table.tied_count, 1);
  CU_ASSERT_EQUAL(f.table.tied[0].parameter, 0);
  CU_ASSERT_EQUAL(f.table.tied[0].offset, h.head.tied_gradient);
  CU_ASSERT(h.head.tied_gradient >= f.table.total);
  CU_ASSERT(f.table.gradient_total >= h.head.tied_gradient + V * C);
  size_t bytes = f.arena.peak;
  layer_end(&f);
  make(&f, &h, false);
  CU_ASSERT(f.arena.peak < bytes);
  layer_end(&f);
}

typedef struct twin {
  double *x, *before, *after, *normed, *logits, *losses, *softmax;
} twin;

static twin twin_forward(const layer_fixture *f, const heed_token_head *head, const float *hidden) {
  twin w = {test_doubles(ROWS),   test_doubles(ROWS), test_doubles(ROWS),  test_doubles(ROWS),
            test_doubles(LOGITS), test_doubles(M),    test_doubles(LOGITS)};
  for (int64_t i = 0; i < ROWS; i++)
    w.x[i] = (double)hidden[f->batch.target_tokens[i / C] * C + i % C];
  if (head->transforms) {
    reference_linear_forward(w.before, w.x, layer_weights(f, head->dense.weight), layer_weights(f, head->dense.bias), M, C, C);
    for (int64_t i = 0; i < ROWS; i++)
      w.after[i] = reference_activation(w.before[i], head->form);
    reference_layer_norm_forward(w.normed, w.after, layer_weights(f, head->norm.gamma), layer_weights(f, head->norm.beta), M, C, 1e-5);
  } else {
    w.normed = w.x;
  }
  reference_linear_forward(w.logits, w.normed, layer_weights(f, head->decoder.weight), layer_weights(f, head->decoder.bias), M, C, V);
  for (int64_t m = 0; m < M; m++) {
    double sum = 0;
    for (int64_t v = 0; v < V; v++)
      sum += exp(w.logits[m * V + v]);
    for (int64_t v = 0; v < V; v++)
      w.softmax[m * V + v] = exp(w.logits[m * V + v]) / sum;
    w.losses[m] = -log(w.softmax[m * V + f->batch.target_ids[m]]);
  }
  return w;
}

/* d_hidden is added to; the decoder's weight has its gradient at `tied_gradient`. */
static void twin_backward(layer_fixture *f, const heed_token_head *head, const twin *w, double *d_hidden) {
  double *d_logits = test_doubles(LOGITS), *d_normed = test_doubles(ROWS), *d_after = test_doubles(ROWS), *d_x = test_doubles(ROWS);
  for (int64_t i = 0; i < LOGITS; i++)
    d_logits[i] = w->softmax[i] - (f->batch.target_ids[i / V] == i % V);
  reference_linear_backward(d_normed, layer_gradient(f, head->tied_gradient), layer_gradient(f, head->decoder.bias), d_logits, w->normed,
                            layer_weights(f, head->decoder.weight), M, C, V);
  if (head->transforms) {
    reference_layer_norm_backward(d_after, layer_gradient(f, head->norm.gamma), layer_gradient(f, head->norm.beta), d_normed, w->after,
                                  layer_weights(f, head->norm.gamma), M, C, 1e-5);
    for (int64_t i = 0; i < ROWS; i++)
      d_after[i] *= reference_activation_slope(w->before[i], head->form);
    reference_linear_backward(d_x, layer_gradient(f, head->dense.weight), layer_gradient(f, head->dense.bias), d_after, w->x,
                              layer_weights(f, head->dense.weight), M, C, C);
  } else {
    d_x = d_normed;
  }
  for (int64_t i = 0; i < ROWS; i++)
    d_hidden[f->batch.target_tokens[i / C] * C + i % C] += d_x[i];
}

static bool losses_fit(const double *losses, const double *want) {
  bool fit = true;
  for (int64_t m = 0; m < M; m++)
    fit = fit && fabs(losses[m] - want[m]) < 1e-5 * want[m]; /* of float logits */
  return fit;
}

static void check(const heed_token_head_names *names, heed_activation activation, heed_form form, bool biases) {
  layer_fixture f;
  heads h;
  layer_begin(&f, true);
  f.config.activation = activation;
  f.config.biases = biases;
  make_with(&f, &h, names);
  if (h.head.transforms)
    CU_ASSERT_EQUAL(h.head.form, form);
  layer_commit(&f);
  float *hidden = test_random(COUNT, 3, 1.0), *d_hidden = test_random(COUNT, 4, 1.0), *words = test_floats(V * C);
  double *want = test_widen(d_hidden, COUNT);
  memcpy(words, f.gradients + h.embedding.tables[HEED_EMBED_WORDS].at, V * C * sizeof *words);
  int64_t first = h.head.decoder.bias >= 0 ? h.head.decoder.bias : h.head.transforms ? h.head.dense.weight : f.table.total;
  for (int64_t i = 0; i < first; i++)
    f.wide_gradients[i] = (double)f.gradients[i]; /* the embedding's, which stay */
  twin w = twin_forward(&f, &h.head, hidden);
  twin_backward(&f, &h.head, &w, want);

  CU_ASSERT(test_error(heed_token_head_forward(&f.context, hidden, &h.head), w.logits, LOGITS) < layer_bound);
  CU_ASSERT_TRUE(losses_fit(heed_token_head_loss(&f.context, &h.head), w.losses));
  CU_ASSERT_TRUE(losses_fit(heed_token_head_train(&f.context, hidden, &h.head), w.losses));
  heed_token_head_backward(&f.context, d_hidden, &h.head);
  CU_ASSERT(test_error(d_hidden, want, COUNT) < layer_bound);
  CU_ASSERT_TRUE(layer_gradients_fit(&f));
  CU_ASSERT(test_error(f.gradients + h.head.tied_gradient, f.wide_gradients + h.head.tied_gradient, V * C) < layer_bound);
  CU_ASSERT_EQUAL(memcmp(words, f.gradients + h.embedding.tables[HEED_EMBED_WORDS].at, V * C * sizeof *words),
                  0); /* the embedding's part is not touched */
  layer_end(&f);
}

static void equals_its_twin(void) {
  check(&of_bert, HEED_GELU, HEED_FORM_GELU, true);
}
static void without_a_transform(void) {
  check(&of_gpt, HEED_GELU_TANH, HEED_FORM_GELU, true);
}
/* The transform is plain whatever the layers are. */
static void its_transform_is_plain(void) {
  check(&of_bert, HEED_GEGLU_TANH, HEED_FORM_GELU_TANH, true);
  check(&of_bert, HEED_RELU, HEED_FORM_RELU, false);
}

static void nothing_is_registered_that_it_does_without(void) {
  layer_fixture f;
  heads h;
  layer_begin(&f, true);
  make_with(&f, &h, &of_gpt);
  CU_ASSERT_EQUAL(f.table.count, 5); /* the embedding's */
  CU_ASSERT_EQUAL(h.head.decoder.bias, -1);
  CU_ASSERT_EQUAL(f.table.tied_count, 1);
  layer_end(&f);
  layer_begin(&f, true);
  f.config.biases = false; /* the decoder of masked tokens keeps its own */
  make_with(&f, &h, &of_bert);
  CU_ASSERT_EQUAL(f.table.count, 4 + 3);
  CU_ASSERT_STRING_EQUAL(f.table.items[4].name, "cls.predictions.bias");
  CU_ASSERT_EQUAL(h.head.dense.bias, -1);
  CU_ASSERT_EQUAL(h.head.norm.beta, -1);
  layer_end(&f);
}

/* Outside training the logits outlive the losses. */
static void logits_stay_outside_training(void) {
  layer_fixture f;
  heads h;
  make(&f, &h, false);
  layer_commit(&f);
  float *hidden = test_random(COUNT, 3, 1.0);
  twin w = twin_forward(&f, &h.head, hidden);
  const float *logits = heed_token_head_forward(&f.context, hidden, &h.head);
  CU_ASSERT_TRUE(losses_fit(heed_token_head_loss(&f.context, &h.head), w.losses));
  CU_ASSERT(test_error(logits, w.logits, LOGITS) < layer_bound);
  layer_end(&f);
}

static void only_targets_are_read(void) {
  layer_fixture f;
  heads h;
  make(&f, &h, false);
  layer_commit(&f);
  float *hidden = test_random(COUNT, 3, 1.0);
  twin w = twin_forward(&f, &h.head, hidden);
  for (int64_t t = 0; t < LAYER_TOKENS; t++) {
    bool target = false;
    for (int64_t m = 0; m < M; m++)
      target = target || f.batch.target_tokens[m] == t;
    for (int64_t c = 0; c < C && !target; c++)
      hidden[t * C + c] = NAN;
  }
  CU_ASSERT(test_error(heed_token_head_forward(&f.context, hidden, &h.head), w.logits, LOGITS) < layer_bound);
  layer_end(&f);
}

HEED_TESTS({"the decoder is the word table", the_decoder_is_the_word_table}, {"equals its twin", equals_its_twin},
           {"without a transform", without_a_transform}, {"its transform is plain", its_transform_is_plain},
           {"nothing is registered that it does without", nothing_is_registered_that_it_does_without},
           {"logits stay outside training", logits_stay_outside_training}, {"only targets are read", only_targets_are_read})
