/* The table of families, and the names of a whole model: those of Hugging Face's BertForPreTraining, in the order of the file. */
#include "models/family.h"

#include <string.h>

#include "models/model.h"
#include "test.h"

static void bert_is_attention_then_feed_forward(void) {
  const heed_family *bert = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_family_find(&bert, "bert"), HEED_OK);
  CU_ASSERT_STRING_EQUAL(bert->name, "bert");
  CU_ASSERT_EQUAL_FATAL(bert->sublayer_count, 2);
  CU_ASSERT_PTR_EQUAL(bert->sublayers[0].body, &heed_self_attention_body);
  CU_ASSERT_PTR_EQUAL(bert->sublayers[1].body, &heed_feed_forward_body);
}

static void others_are_refused_by_name(void) {
  static const char *const names[] = {"", "Bert", "bert ", "gpt", "%s%n"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const heed_family *family = NULL;
    CU_ASSERT_EQUAL(heed_family_find(&family, names[i]), HEED_INVALID);
    CU_ASSERT_PTR_NULL(family);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "model.family"));
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), names[i]));
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "there is: bert"));
  }
}

static const char *const embeddings[] = {"bert.embeddings.word_embeddings.weight", "bert.embeddings.position_embeddings.weight",
                                         "bert.embeddings.token_type_embeddings.weight", "bert.embeddings.LayerNorm.weight",
                                         "bert.embeddings.LayerNorm.bias"};
static const char *const block[] = {"attention.self.query.weight",
                                    "attention.self.key.weight",
                                    "attention.self.value.weight",
                                    "attention.self.query.bias",
                                    "attention.self.key.bias",
                                    "attention.self.value.bias",
                                    "attention.output.dense.weight",
                                    "attention.output.dense.bias",
                                    "attention.output.LayerNorm.weight",
                                    "attention.output.LayerNorm.bias",
                                    "intermediate.dense.weight",
                                    "intermediate.dense.bias",
                                    "output.dense.weight",
                                    "output.dense.bias",
                                    "output.LayerNorm.weight",
                                    "output.LayerNorm.bias"};
static const char *const pooler[] = {"bert.pooler.dense.weight", "bert.pooler.dense.bias", "cls.seq_relationship.weight",
                                     "cls.seq_relationship.bias"};
static const char *const masked[] = {"cls.predictions.bias", "cls.predictions.transform.dense.weight",
                                     "cls.predictions.transform.dense.bias", "cls.predictions.transform.LayerNorm.weight",
                                     "cls.predictions.transform.LayerNorm.bias"};

/* Whether the table goes on with these names, each behind `prefix`; `at` moves behind them. */
static bool goes_on(const heed_parameter_table *table, int64_t *at, const char *prefix, const char *const *names, size_t count) {
  bool same = true;
  for (size_t i = 0; i < count && same; i++, ++*at) {
    char name[HEED_MAX_NAME + 1];
    snprintf(name, sizeof name, "%s%s", prefix, names[i]);
    same = *at < table->count && strcmp(table->items[*at].name, name) == 0;
    if (!same)
      printf("(%s is not at place %d) ", name, (int)*at);
  }
  return same;
}
#define GOES_ON(table, at, prefix, names) goes_on(table, at, prefix, names, sizeof(names) / sizeof *(names))

static void check_names(bool next_sentence, bool token_head) {
  char family[] = "bert";
  heed_model_config config = {.family = family,
                              .vocabulary_size = 30,
                              .layers = 12,
                              .hidden = 8,
                              .heads = 2,
                              .feed_forward = 16,
                              .max_positions = 8,
                              .token_types = 2,
                              .layer_norm_epsilon = 1e-12,
                              .initializer_range = 0.02};
  heed_model_sizes sizes = {
      .sequences = 1, .tokens = 8, .targets = 2, .slices = 1, .longest = 8, .next_sentence = next_sentence, .token_head = token_head};
  heed_model *model;
  int64_t at = 0;
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&model, &config, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  const heed_parameter_table *table = heed_model_table(model);
  CU_ASSERT_TRUE(GOES_ON(table, &at, "", embeddings));
  for (int i = 0; i < config.layers; i++) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "bert.encoder.layer.%d.", i);
    CU_ASSERT_TRUE(GOES_ON(table, &at, prefix, block));
  }
  CU_ASSERT_TRUE(!next_sentence || GOES_ON(table, &at, "", pooler));
  CU_ASSERT_TRUE(!token_head || GOES_ON(table, &at, "", masked));
  CU_ASSERT_EQUAL(at, table->count);
  CU_ASSERT_EQUAL(table->tied_count, token_head);
  heed_model_free(model);
}

static void names_are_hugging_faces(void) {
  check_names(true, true);
}
static void heads_may_be_left_out(void) {
  check_names(false, true);
  check_names(false, false);
}

HEED_TESTS({"bert is attention, then feed-forward", bert_is_attention_then_feed_forward},
           {"others are refused by name", others_are_refused_by_name}, {"names are Hugging Face's", names_are_hugging_faces},
           {"heads may be left out", heads_may_be_left_out})
