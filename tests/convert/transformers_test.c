/* config.json and tokenizer_config.json: each key to its place, and what Heed does not build is refused by name. */
#include "convert/transformers.h"
#include "convert/transformers_tokenizer.h"

#include <math.h>

#include "data/folder.h"
#include "test.h"

#define SIZES "\"vocab_size\": 1000, \"num_hidden_layers\": 3, \"hidden_size\": 64, \"num_attention_heads\": 4, \"intermediate_size\": 200"

#define GPT2 "\"vocab_size\": 1000, \"n_layer\": 3, \"n_embd\": 64, \"n_head\": 4"

static void keys_have_their_places(void) {
  heed_config config, again;
  const heed_class *class;
  const heed_special_tokens special = {.pad = 7};
  char *text;
  folder_make();
  folder_write_text("config.json", "{\"model_type\": \"bert\", " SIZES ", \"max_position_embeddings\": 77, \"type_vocab_size\": 3, "
                                   "\"hidden_act\": \"gelu_new\", \"hidden_dropout_prob\": 0.2, \"attention_probs_dropout_prob\": 0.3, "
                                   "\"layer_norm_eps\": 1e-05, \"initializer_range\": 0.03, \"unknown\": [1, 2]}");
  CU_ASSERT_EQUAL_FATAL(heed_transformers_read_config(&config, &class, folder_path("config.json"), "my \"name\"", true, NULL, 0), HEED_OK);
  CU_ASSERT_STRING_EQUAL(config.run.name, "my \"name\"");
  CU_ASSERT_TRUE(config.objective.next_sentence);
  CU_ASSERT_EQUAL(config.train.sequence_length, 77);
  CU_ASSERT_EQUAL_FATAL(heed_transformers_print_config(&config, class, &special, &text), HEED_OK);
  folder_write_text("again.json", text);
  free(text);
  CU_ASSERT_EQUAL_FATAL(heed_transformers_read_config(&again, &class, folder_path("again.json"), "x", false, NULL, 0), HEED_OK);
  for (int i = 0; i < 2; i++) { /* read, and read again from what was printed */
    const heed_model_config *m = i ? &again.model : &config.model;
    CU_ASSERT_EQUAL(m->vocabulary_size, 1000);
    CU_ASSERT_EQUAL(m->layers, 3);
    CU_ASSERT_EQUAL(m->hidden, 64);
    CU_ASSERT_EQUAL(m->heads, 4);
    CU_ASSERT_EQUAL(m->feed_forward, 200);
    CU_ASSERT_EQUAL(m->max_positions, 77);
    CU_ASSERT_EQUAL(m->token_types, 3);
    CU_ASSERT_EQUAL(m->activation, HEED_GELU_TANH);
    CU_ASSERT_DOUBLE_EQUAL(m->dropout, 0.2, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(m->attention_dropout, 0.3, 1e-15);
    CU_ASSERT_DOUBLE_EQUAL(m->layer_norm_epsilon, 1e-5, 1e-20);
    CU_ASSERT_DOUBLE_EQUAL(m->initializer_range, 0.03, 1e-15);
  }
  heed_config_free(&config);
  heed_config_free(&again);
  folder_remove();
}

static const struct {
  const char *json, *message;
} refused[] = {
    {"", "is not a model's config.json"},
    {"[]", "a JSON object is expected"},
    {"{\"model_type\": \"bert\",", "config.json:1"},
    {"{" SIZES "}", "model_type '(missing)'"},
    {"{\"model_type\": \"roberta\", " SIZES "}", "'roberta' is not built yet"},
    {"{\"model_type\": \"bert\"}", "vocab_size is missing"},
    {"{\"model_type\": \"bert\", \"vocab_size\": \"many\"}", "vocab_size is not a number"},
    {"{\"model_type\": \"bert\", " SIZES ", \"hidden_act\": \"silu\"}", "'silu' is not built yet"},
    {"{\"model_type\": \"bert\", " SIZES ", \"hidden_act\": 7}", "hidden_act"},
    {"{\"model_type\": \"bert\", " SIZES ", \"position_embedding_type\": \"relative_key\"}", "\"relative_key\" is not built yet"},
    {"{\"model_type\": \"bert\", " SIZES ", \"is_decoder\": true}", "is_decoder"},
    {"{\"model_type\": \"bert\", " SIZES ", \"layer_norm_eps\": -1}", "layer_norm_epsilon: -1 is impossible"},
    {"{\"model_type\": \"bert\", \"vocab_size\": 1000, \"num_hidden_layers\": 3, \"hidden_size\": 65, \"num_attention_heads\": 4, "
     "\"intermediate_size\": 200}",
     "model.hidden 65 is not a multiple"},
    {"{\"model_type\": \"gpt2\", " GPT2 ", \"scale_attn_by_inverse_layer_idx\": true}",
     "scale_attn_by_inverse_layer_idx: true is not built yet"},
    {"{\"model_type\": \"modernbert\", " SIZES ", \"norm_bias\": true}", "norm_bias: true is not built yet; false is"},
    {"{\"model_type\": \"modernbert\", " SIZES ", \"layer_types\": [\"full_attention\", \"full_attention\", \"sliding_attention\"]}",
     "layer_types is not built yet"},
    {"{\"model_type\": \"modernbert\", " SIZES ", \"layer_types\": [\"full_attention\"]}", "layer_types has 1 words"},
    {"{\"model_type\": \"modernbert\", " SIZES ", \"global_attn_every_n_layers\": 0}", "global_attn_every_n_layers: 0 is impossible"},
    {"{\"model_type\": \"modernbert\", " SIZES ", \"local_attention\": 1e300}", "local_attention: 1e+300 is impossible"},
    {"{\"model_type\": \"modernbert\", " SIZES ", \"local_attention\": 1}", "local_attention: 1 is impossible"},
    {"{\"model_type\": \"modernbert\", " SIZES ", \"rope_parameters\": {\"full_attention\": {\"rope_type\": \"yarn\"}}}",
     "\"yarn\" is not built"},
};

static void what_is_not_built_is_refused(void) {
  heed_config config;
  const heed_class *class;
  folder_make();
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    const char *path = folder_write_text("config.json", refused[i].json);
    heed_status status = heed_transformers_read_config(&config, &class, path, "x", false, NULL, 0);
    if (status != HEED_INVALID || !strstr(heed_error_text(), refused[i].message))
      fprintf(stderr, "\n'%s' expected, status %d: %s\n", refused[i].message, status, heed_error_text());
    CU_ASSERT_EQUAL(status, HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), refused[i].message));
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), path));
  }
  CU_ASSERT_EQUAL(heed_transformers_read_config(&config, &class, folder_path("none"), "x", false, NULL, 0), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_transformers_read_config(&config, &class, folder, "x", false, NULL, 0), HEED_INVALID);
  folder_remove();
}

/* Reads a config.json, and gives what is written for the model that it describes; the class is found by the model alone. */
static char *there_and_back(const char *json, heed_config *config, const heed_class **class) {
  static const heed_special_tokens special = {.pad = -1, .classify = 5, .separate = 9};
  const heed_class *found = NULL;
  char *text = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_transformers_read_config(config, class, folder_write_text("config.json", json), "x", false, NULL, 0), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_transformers_class_of(&found, config), HEED_OK);
  CU_ASSERT_PTR_EQUAL(found, *class);
  CU_ASSERT_EQUAL_FATAL(heed_transformers_print_config(config, found, &special, &text), HEED_OK);
  return text;
}

static void gpt2_has_its_keys(void) {
  heed_config config, again;
  const heed_class *class;
  folder_make();
  char *text =
      there_and_back("{\"model_type\": \"gpt2\", " GPT2 ", \"n_positions\": 99, \"n_inner\": null, \"resid_pdrop\": 0.3}", &config, &class);
  CU_ASSERT_STRING_EQUAL(class->architecture, "GPT2LMHeadModel");
  CU_ASSERT_STRING_EQUAL(config.model.family, "gpt");
  CU_ASSERT_EQUAL(config.model.feed_forward, 256);
  CU_ASSERT_EQUAL(config.model.max_positions, 99);
  CU_ASSERT_TRUE(config.model.causal);
  CU_ASSERT_EQUAL(config.model.norm, HEED_NORM_PRE);
  CU_ASSERT_DOUBLE_EQUAL(config.model.dropout, 0.3, 1e-15);
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"embd_pdrop\": 0.3"));
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"eos_token_id\": 9"));
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"activation_function\": \"gelu_new\""));
  free(there_and_back(text, &again, &class));
  CU_ASSERT_EQUAL(heed_config_check_model(&config, &again), HEED_OK);
  free(text);
  heed_config_free(&config);
  heed_config_free(&again);
  folder_remove();
}

static void modernbert_has_its_keys(void) {
  static const char *const files[] = {
      "{\"model_type\": \"modernbert\", " SIZES
      ", \"global_attn_every_n_layers\": 2, \"local_attention\": 20, \"global_rope_theta\": 5000.0}",
      "{\"model_type\": \"modernbert\", " SIZES ", \"layer_types\": [\"full_attention\", \"sliding_attention\", \"full_attention\"], "
      "\"local_attention\": 20, \"rope_parameters\": {\"full_attention\": {\"rope_theta\": 5000.0, \"rope_type\": \"default\"}}}"};
  folder_make();
  for (int i = 0; i < 2; i++) { /* of an older version and of a newer one */
    heed_config config, again;
    const heed_class *class;
    char *text = there_and_back(files[i], &config, &class);
    const heed_model_config *m = &config.model;
    CU_ASSERT_EQUAL(m->window, 10);
    CU_ASSERT_EQUAL(m->global_every, 2);
    CU_ASSERT_EQUAL(m->rotary_theta, 5000);
    CU_ASSERT_EQUAL(m->rotary_theta_local, 10000);
    CU_ASSERT_EQUAL(m->positions, HEED_POSITIONS_ROTARY);
    CU_ASSERT_EQUAL(m->activation, HEED_GEGLU);
    CU_ASSERT_EQUAL(m->token_types, 0);
    CU_ASSERT_FALSE(m->biases);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"pad_token_id\": null"));
    free(there_and_back(text, &again, &class));
    CU_ASSERT_EQUAL(heed_config_check_model(&config, &again), HEED_OK);
    free(text);
    heed_config_free(&config);
    heed_config_free(&again);
  }
  folder_remove();
}

#define MODERNBERT "model.positions=rotary", "model.norm=pre", "model.biases=false", "model.activation=geglu", "model.token_types=0"

static void parse(heed_config *config, const char *const *settings, int count) {
  CU_ASSERT_EQUAL_FATAL(heed_config_parse(config,
                                          "run: {name: x}\nmodel: {family: bert, vocabulary_size: 50, layers: 2, hidden: 8, heads: 2}\n"
                                          "train: {steps: 1, sequence_length: 8, batch_sequences: 2}\noptimizer: {learning_rate: 1}\n",
                                          "x", settings, count),
                        HEED_OK);
}

/* transformers divides the numbers of layers by this one; a ModernBERT with a window in all of them it does not have. */
static void modernbert_without_a_window_is_global_in_every_layer(void) {
  static const char *const settings[] = {MODERNBERT, "model.window=8"};
  const heed_special_tokens special = {.pad = -1};
  heed_config config;
  const heed_class *class;
  char *text;
  parse(&config, settings, 5);
  CU_ASSERT_EQUAL_FATAL(heed_transformers_class_of(&class, &config), HEED_OK);
  CU_ASSERT_STRING_EQUAL(class->model_type, "modernbert");
  CU_ASSERT_EQUAL_FATAL(heed_transformers_print_config(&config, class, &special, &text), HEED_OK);
  CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"global_attn_every_n_layers\": 1,"));
  free(text);
  heed_config_free(&config);
  parse(&config, settings, 6);
  CU_ASSERT_EQUAL(heed_transformers_class_of(&class, &config), HEED_INVALID);
  heed_config_free(&config);
}

/* Options that no class of transformers has, alone or together. */
static void what_transformers_lacks_is_refused(void) {
  static const char *const settings[] = {"model.positions=sinusoidal", "model.activation=reglu", "model.norm=pre", "model.window=8",
                                         "model.biases=false"};
  for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
    heed_config config;
    const heed_class *class;
    parse(&config, &settings[i], 1);
    CU_ASSERT_EQUAL(heed_transformers_class_of(&class, &config), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "no class"));
    heed_config_free(&config);
  }
}

static void casing_is_read(void) {
  heed_casing casing;
  folder_make();
  CU_ASSERT_EQUAL(heed_transformers_read_casing(folder_path("none"), &casing), HEED_OK);
  CU_ASSERT_EQUAL(casing, HEED_CASING_UNSAID);
  CU_ASSERT_EQUAL(heed_transformers_read_casing(folder_write_text("t", "{}"), &casing), HEED_OK);
  CU_ASSERT_EQUAL(casing, HEED_CASING_UNSAID);
  CU_ASSERT_EQUAL(heed_transformers_read_casing(folder_write_text("t", "{\"do_lower_case\": true}"), &casing), HEED_OK);
  CU_ASSERT_EQUAL(casing, HEED_UNCASED);
  CU_ASSERT_EQUAL(heed_transformers_read_casing(folder_write_text("t", "{\"do_lower_case\": false}"), &casing), HEED_OK);
  CU_ASSERT_EQUAL(casing, HEED_CASED);
  CU_ASSERT_EQUAL(heed_transformers_read_casing(folder_write_text("t", "nonsense"), &casing), HEED_INVALID);
  folder_remove();
}

HEED_TESTS({"keys have their places", keys_have_their_places}, {"what is not built is refused", what_is_not_built_is_refused},
           {"GPT-2 has its keys", gpt2_has_its_keys}, {"ModernBERT has its keys", modernbert_has_its_keys},
           {"ModernBERT without a window is global in every layer", modernbert_without_a_window_is_global_in_every_layer},
           {"what transformers lacks is refused", what_transformers_lacks_is_refused}, {"casing is read", casing_is_read})
