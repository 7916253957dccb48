#include "measure/flops.h"

#include <math.h>

#include "test.h"

static heed_model_config model_of(int64_t layers, int64_t hidden, int64_t vocabulary) {
  static char family[] = "bert";
  return (heed_model_config){
      .family = family, .vocabulary_size = vocabulary, .layers = layers, .hidden = hidden, .feed_forward = 4 * hidden};
}

/* One sequence of 128 tokens, 20 of them masked. */
static const heed_work one = {.sequences = 1, .tokens = 128, .pairs = 128 * 128, .targets = 20};

/* Counted by hand from the released sizes, in GFLOP a sequence, the pooler included. */
static void the_bert_family(void) {
  static const struct {
    int64_t layers, hidden;
    double gflop, rounded_to;
  } sizes[] = {{2, 128, 0.82, 0.01}, {4, 256, 3.56, 0.01}, {4, 512, 11.97, 0.01}, {12, 768, 69.9, 0.1}, {24, 1024, 240.6, 0.1}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    heed_model_config model = model_of(sizes[i].layers, sizes[i].hidden, 30522);
    CU_ASSERT(fabs(heed_training_flops(&model, &one, true) / 1e9 - sizes[i].gflop) <= 0.51 * sizes[i].rounded_to);
  }
}

/* Every product of a model small enough to write them all down: 2mnk each, forward once and backward twice. */
static void every_product(void) {
  enum { C = 6, F = 10, V = 11, L = 3 };
  heed_model_config model = {.vocabulary_size = V, .layers = L, .hidden = C, .feed_forward = F};
  heed_work work = {.sequences = 2, .tokens = 5 + 3, .pairs = 5 * 5 + 3 * 3, .targets = 2};
  double qkv = 3 * 2 * 8 * C * C, scores = 2 * (25 + 9) * C, mixed = 2 * (25 + 9) * C, out = 2 * 8 * C * C;
  double feed_forward = 2 * (2 * 8 * C * F), head = 2 * 2 * C * C + 2 * 2 * C * V, pooler = 2 * 2 * C * C;
  CU_ASSERT_EQUAL(heed_training_flops(&model, &work, false), 3 * (L * (qkv + scores + mixed + out + feed_forward) + head));
  CU_ASSERT_EQUAL(heed_training_flops(&model, &work, true) - heed_training_flops(&model, &work, false), 3 * pooler);
}

static void a_batch_is_counted(void) {
  heed_batch batch;
  CU_ASSERT_EQUAL_FATAL(heed_batch_create(&batch, 1, 2, 8, 2, false), HEED_OK);
  batch.stream.sequences = 2;
  batch.stream.tokens = 8;
  batch.stream.offsets[1] = 5;
  batch.stream.offsets[2] = 8;
  batch.targets = 2;
  heed_work work = {0};
  heed_work_add(&work, &batch);
  heed_work_add(&work, &batch);
  CU_ASSERT_EQUAL(work.sequences, 4);
  CU_ASSERT_EQUAL(work.tokens, 16);
  CU_ASSERT_EQUAL(work.pairs, 2 * (25 + 9));
  CU_ASSERT_EQUAL(work.targets, 4);
  heed_batch_free(&batch);
}

HEED_TESTS({"the BERT family", the_bert_family}, {"every product", every_product}, {"a batch is counted", a_batch_is_counted})
