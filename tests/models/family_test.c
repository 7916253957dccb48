/* The table of families, and the names of a whole model: those of Hugging Face's BertForPreTraining and GPT2LMHeadModel, in the order of
 * the file; what GPT's weights begin as. */
#include "models/family.h"

#include <math.h>
#include <stdlib.h>
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
  static const char *const names[] = {"", "Bert", "bert ", "gpt2", "%s%n"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const heed_family *family = NULL;
    CU_ASSERT_EQUAL(heed_family_find(&family, names[i]), HEED_INVALID);
    CU_ASSERT_PTR_NULL(family);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "model.family"));
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), names[i]));
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "there are: bert, gpt"));
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
                              .embedding_norm = true,
                              .biases = true,
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

/* ---- GPT ---- */

static heed_model_config gpt_config(void) {
  static char family[] = "gpt";
  return (heed_model_config){.family = family,
                             .vocabulary_size = 300,
                             .layers = 3,
                             .hidden = 64,
                             .heads = 2,
                             .feed_forward = 128,
                             .max_positions = 200,
                             .causal = true,
                             .activation = HEED_GELU_TANH,
                             .norm = HEED_NORM_PRE,
                             .biases = true,
                             .layer_norm_epsilon = 1e-5,
                             .initializer_range = 0.02};
}

static heed_model *make_gpt(const heed_model_config *config) {
  heed_model *model = NULL;
  heed_model_sizes sizes = heed_model_sizes_least(false);
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&model, config, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  return model;
}

/* As `model.state_dict()` of transformers lists them; its lm_head.weight is transformer.wte.weight. */
static const char *const gpt_embeddings[] = {"transformer.wte.weight", "transformer.wpe.weight"};
static const char *const gpt_block[] = {"ln_1.weight",        "ln_1.bias",        "attn.c_attn.weight", "attn.c_attn.bias",
                                        "attn.c_proj.weight", "attn.c_proj.bias", "ln_2.weight",        "ln_2.bias",
                                        "mlp.c_fc.weight",    "mlp.c_fc.bias",    "mlp.c_proj.weight",  "mlp.c_proj.bias"};
static const char *const gpt_end[] = {"transformer.ln_f.weight", "transformer.ln_f.bias"};

static void gpts_names_are_hugging_faces(void) {
  heed_model_config config = gpt_config();
  heed_model *model = make_gpt(&config);
  const heed_parameter_table *table = heed_model_table(model);
  int64_t at = 0;
  CU_ASSERT_TRUE(GOES_ON(table, &at, "", gpt_embeddings));
  for (int i = 0; i < config.layers; i++) {
    char prefix[64];
    snprintf(prefix, sizeof prefix, "transformer.h.%d.", i);
    CU_ASSERT_TRUE(GOES_ON(table, &at, prefix, gpt_block));
  }
  CU_ASSERT_TRUE(GOES_ON(table, &at, "", gpt_end));
  CU_ASSERT_EQUAL(at, table->count);
  CU_ASSERT_EQUAL(table->tied_count, 1);
  CU_ASSERT_EQUAL(table->tied[0].parameter, 0);
  for (int64_t i = 0; i < table->count; i++) /* decay on tensors of two dimensions only */
    CU_ASSERT_EQUAL(table->items[i].decay, table->items[i].rank == 2);
  heed_model_free(model);
}

/* The released sizes: 124,439,808 parameters. */
static void gpt2_has_124_million_parameters(void) {
  heed_model_config config = gpt_config();
  config.vocabulary_size = 50257;
  config.layers = config.heads = 12;
  config.hidden = 768;
  config.feed_forward = 3072;
  config.max_positions = 1024;
  heed_model *model = make_gpt(&config);
  CU_ASSERT_EQUAL(heed_model_table(model)->total, 124439808);
  heed_model_free(model);
}

static bool ends_with(const char *name, const char *end) {
  return strlen(name) >= strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0;
}

static double deviation_of(const char *name) {
  if (ends_with(name, "wpe.weight"))
    return 0.01;
  return ends_with(name, "c_proj.weight") ? 0.02 / sqrt(2 * 3) : 0.02;
}

static void gpt_begins_as_the_paper_says(void) {
  heed_model_config config = gpt_config();
  heed_model *model = make_gpt(&config);
  const heed_parameter_table *table = heed_model_table(model);
  float *weights = malloc((size_t)table->total * sizeof *weights);
  heed_parameters_initialise(table, weights, 3);
  for (int64_t i = 0; i < table->count; i++) {
    const heed_parameter *p = &table->items[i];
    double squares = 0, beyond = 0, want = deviation_of(p->name), count = (double)p->count;
    if (p->rank != 2)
      continue;
    CU_ASSERT_DOUBLE_EQUAL(p->deviation, want, 1e-8);
    for (int64_t j = 0; j < p->count; j++) {
      double x = (double)weights[p->offset + j] / want;
      squares += x * x;
      beyond += fabs(x) > 2;
    }
    /* Four deviations of the estimates: of a variance √(2/n), of a share √(p(1 − p)/n); 0.0455 of a normal lie beyond two. */
    CU_ASSERT_DOUBLE_EQUAL(squares / count, 1, 4 * sqrt(2 / count));
    CU_ASSERT_DOUBLE_EQUAL(beyond / count, 0.0455, 4 * sqrt(0.0455 * 0.9545 / count));
  }
  free(weights);
  heed_model_free(model);
}

static void gpt_has_no_next_sentences(void) {
  heed_model *model = NULL;
  heed_model_config config = gpt_config();
  heed_model_sizes sizes = heed_model_sizes_least(true);
  CU_ASSERT_EQUAL(heed_model_create(&model, &config, &sizes, heed_kernels_choose(NULL)), HEED_INVALID);
  CU_ASSERT_PTR_NULL(model);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "objective.next_sentence"));
}

/* Every option that adds tensors to a family has names for them, and no two are alike; each is the family's own. */
static void each_family_names_what_options_add(void) {
  static const char *const names[] = {"bert", "gpt"};
  for (int k = 0; k < 2; k++) {
    char family[8];
    heed_model_config config = gpt_config();
    config.family = strcpy(family, names[k]);
    config.token_types = 3;
    config.embedding_norm = true;
    config.norm = HEED_NORM_PRE;
    heed_model *model = make_gpt(&config);
    const heed_parameter_table *table = heed_model_table(model);
    CU_ASSERT_EQUAL(
        heed_parameters_find(table, k == 0 ? "bert.encoder.layer.0.attention.output.LayerNorm.weight" : "transformer.h.0.ln_1.weight"),
        -1); /* what is normalised already is not normalised again */
    heed_model_free(model);
  }
}

HEED_TESTS({"bert is attention, then feed-forward", bert_is_attention_then_feed_forward},
           {"others are refused by name", others_are_refused_by_name}, {"names are Hugging Face's", names_are_hugging_faces},
           {"heads may be left out", heads_may_be_left_out}, {"GPT's names are Hugging Face's", gpts_names_are_hugging_faces},
           {"GPT-2 has 124 million parameters", gpt2_has_124_million_parameters},
           {"GPT begins as the paper says", gpt_begins_as_the_paper_says}, {"GPT has no next sentences", gpt_has_no_next_sentences},
           {"each family names what options add", each_family_names_what_options_add})
