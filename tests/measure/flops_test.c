#include "measure/flops.h"

#include <math.h>
#include <stdlib.h>

#include "test.h"

static heed_model_config model_of(int64_t layers, int64_t hidden, int64_t vocabulary) {
  static char family[] = "bert";
  return (heed_model_config){
      .family = family, .vocabulary_size = vocabulary, .layers = layers, .hidden = hidden, .feed_forward = 4 * hidden};
}

/* One sequence of 128 tokens, 20 of them masked, through layers that see all of it. */
static heed_work one(int64_t layers) {
  return (heed_work){.sequences = 1, .tokens = 128, .pairs = layers * 128 * 128, .targets = 20};
}

/* Counted by hand from the released sizes, in GFLOP a sequence, the pooler included. */
static void the_bert_family(void) {
  static const struct {
    int64_t layers, hidden;
    double gflop, rounded_to;
  } sizes[] = {{2, 128, 0.82, 0.01}, {4, 256, 3.56, 0.01}, {4, 512, 11.97, 0.01}, {12, 768, 69.9, 0.1}, {24, 1024, 240.6, 0.1}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    heed_model_config model = model_of(sizes[i].layers, sizes[i].hidden, 30522);
    heed_work work = one(sizes[i].layers);
    CU_ASSERT(fabs(heed_training_flops(&model, &work, true) / 1e9 - sizes[i].gflop) <= 0.51 * sizes[i].rounded_to);
  }
}

/* Every product of a model small enough to write them all down: 2mnk each, forward once and backward twice. */
static void every_product(void) {
  enum { C = 6, F = 10, V = 11, L = 3 };
  heed_model_config model = model_of(L, C, V);
  model.feed_forward = F;
  heed_work work = {.sequences = 2, .tokens = 5 + 3, .pairs = L * (5 * 5 + 3 * 3), .targets = 2};
  double qkv = 3 * 2 * 8 * C * C, scores = 2 * (25 + 9) * C, mixed = 2 * (25 + 9) * C, out = 2 * 8 * C * C;
  double feed_forward = 2 * (2 * 8 * C * F), head = 2 * 2 * C * C + 2 * 2 * C * V, pooler = 2 * 2 * C * C;
  CU_ASSERT_EQUAL(heed_training_flops(&model, &work, false), 3 * (L * (qkv + scores + mixed + out + feed_forward) + head));
  CU_ASSERT_EQUAL(heed_training_flops(&model, &work, true) - heed_training_flops(&model, &work, false), 3 * pooler);
}

/* A batch of sequences of these lengths, each token a target, given twice to a model. */
static heed_work work_of(const heed_model_config *model, const int64_t *lengths, int64_t sequences) {
  heed_batch batch;
  heed_work work = {0};
  int64_t tokens = 0;
  for (int64_t b = 0; b < sequences; b++)
    tokens += lengths[b];
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, sequences, tokens, tokens, false), HEED_OK);
  batch.stream.sequences = sequences;
  batch.stream.tokens = batch.targets = tokens;
  for (int64_t b = 0; b < sequences; b++)
    batch.stream.offsets[b + 1] = batch.stream.offsets[b] + lengths[b];
  heed_work_add(&work, model, &batch);
  heed_work once = work;
  heed_work_add(&work, model, &batch);
  CU_ASSERT_EQUAL(work.sequences, 2 * sequences);
  CU_ASSERT_EQUAL(work.tokens, 2 * tokens);
  CU_ASSERT_EQUAL(work.targets, 2 * tokens);
  CU_ASSERT_EQUAL(work.pairs, 2 * once.pairs);
  heed_batch_free(&batch);
  return once;
}

static const int64_t lengths[] = {5, 3, 0, 1, 12};
enum { SEQUENCES = sizeof lengths / sizeof *lengths };

/* Counted a pair at a time. */
static int64_t pairs_by_hand(const heed_model_config *model) {
  int64_t pairs = 0;
  for (int64_t layer = 0; layer < model->layers; layer++) {
    bool sees_all = model->window == 0 || (model->global_every > 0 && layer % model->global_every == 0);
    for (int64_t b = 0; b < SEQUENCES; b++)
      for (int64_t query = 0; query < lengths[b]; query++)
        for (int64_t key = 0; key < lengths[b]; key++)
          pairs += (!model->causal || key <= query) && (sees_all || llabs(query - key) <= model->window);
  }
  return pairs;
}

static void what_is_seen_is_counted(void) {
  for (int64_t window = 0; window < 16; window++)
    for (int64_t every = 0; every <= (window > 0 ? 4 : 0); every++)
      for (int causal = 0; causal < 2; causal++) {
        heed_model_config model = model_of(5, 8, 30);
        model.causal = causal;
        model.window = window;
        model.global_every = every;
        CU_ASSERT_EQUAL(work_of(&model, lengths, SEQUENCES).pairs, pairs_by_hand(&model));
      }
  heed_model_config all = model_of(3, 8, 30);
  CU_ASSERT_EQUAL(work_of(&all, lengths, SEQUENCES).pairs, 3 * (25 + 9 + 1 + 144));
}

/* GPT-2 at 4 sequences of 64 tokens: 191.6 GFLOP a step were all pairs counted. */
static void gpt2(void) {
  static const int64_t full[4] = {64, 64, 64, 64};
  static char family[] = "gpt";
  heed_model_config model = model_of(12, 768, 50257);
  model.family = family;
  heed_work all = work_of(&model, full, 4);
  CU_ASSERT(fabs(heed_training_flops(&model, &all, false) / 1e9 - 191.6) <= 0.051);
  model.causal = true;
  heed_work seen = work_of(&model, full, 4);
  CU_ASSERT(fabs(heed_training_flops(&model, &seen, false) / 1e9 - 190.7) <= 0.051);
  CU_ASSERT_EQUAL(seen.pairs, 12 * 4 * (64 * 65 / 2));
}

/* A gate is a third product of the feed-forward. */
static void gates(void) {
  enum { C = 6, F = 24, L = 3, TOKENS = 128 };
  static const heed_activation plain[] = {HEED_GELU, HEED_GELU_TANH, HEED_RELU}, gated[] = {HEED_GEGLU, HEED_GEGLU_TANH, HEED_REGLU};
  heed_model_config model = model_of(L, C, 11);
  heed_work work = one(L);
  double without = heed_training_flops(&model, &work, false);
  for (int i = 0; i < 3; i++) {
    model.activation = plain[i];
    CU_ASSERT_EQUAL(heed_training_flops(&model, &work, false), without);
    model.activation = gated[i];
    CU_ASSERT_EQUAL(heed_training_flops(&model, &work, false) - without, 3.0 * L * 2 * TOKENS * C * F);
  }
}

HEED_TESTS({"the BERT family", the_bert_family}, {"every product", every_product}, {"what is seen is counted", what_is_seen_is_counted},
           {"GPT-2", gpt2}, {"gates", gates})
