/* config.json and tokenizer_config.json: each key to its place, and what Heed does not build is refused by name. */
#include "convert/transformers.h"

#include <math.h>

#include "data/folder.h"
#include "test.h"

#define SIZES "\"vocab_size\": 1000, \"num_hidden_layers\": 3, \"hidden_size\": 64, \"num_attention_heads\": 4, \"intermediate_size\": 200"

static void keys_have_their_places(void) {
  heed_config config, again;
  char *text;
  folder_make();
  folder_write_text("config.json", "{\"model_type\": \"bert\", " SIZES ", \"max_position_embeddings\": 77, \"type_vocab_size\": 3, "
                                   "\"hidden_act\": \"gelu_new\", \"hidden_dropout_prob\": 0.2, \"attention_probs_dropout_prob\": 0.3, "
                                   "\"layer_norm_eps\": 1e-05, \"initializer_range\": 0.03, \"unknown\": [1, 2]}");
  CU_ASSERT_EQUAL_FATAL(heed_transformers_read_config(&config, folder_path("config.json"), "my \"name\"", true, NULL, 0), HEED_OK);
  CU_ASSERT_STRING_EQUAL(config.run.name, "my \"name\"");
  CU_ASSERT_TRUE(config.objective.next_sentence);
  CU_ASSERT_EQUAL(config.train.sequence_length, 77);
  CU_ASSERT_EQUAL_FATAL(heed_transformers_print_config(&config, &text), HEED_OK);
  folder_write_text("again.json", text);
  free(text);
  CU_ASSERT_EQUAL_FATAL(heed_transformers_read_config(&again, folder_path("again.json"), "x", false, NULL, 0), HEED_OK);
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
    {"{\"model_type\": \"bert\", " SIZES ", \"hidden_act\": \"relu\"}", "'relu' is not built yet"},
    {"{\"model_type\": \"bert\", " SIZES ", \"hidden_act\": 7}", "hidden_act"},
    {"{\"model_type\": \"bert\", " SIZES ", \"position_embedding_type\": \"relative_key\"}", "'relative_key' is not built yet"},
    {"{\"model_type\": \"bert\", " SIZES ", \"is_decoder\": true}", "is_decoder"},
    {"{\"model_type\": \"bert\", " SIZES ", \"layer_norm_eps\": -1}", "layer_norm_epsilon: -1 is impossible"},
    {"{\"model_type\": \"bert\", \"vocab_size\": 1000, \"num_hidden_layers\": 3, \"hidden_size\": 65, \"num_attention_heads\": 4, "
     "\"intermediate_size\": 200}",
     "model.hidden 65 is not a multiple"},
};

static void what_is_not_built_is_refused(void) {
  heed_config config;
  folder_make();
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    const char *path = folder_write_text("config.json", refused[i].json);
    heed_status status = heed_transformers_read_config(&config, path, "x", false, NULL, 0);
    if (status != HEED_INVALID || !strstr(heed_error_text(), refused[i].message))
      fprintf(stderr, "\n'%s' expected, status %d: %s\n", refused[i].message, status, heed_error_text());
    CU_ASSERT_EQUAL(status, HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), refused[i].message));
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), path));
  }
  CU_ASSERT_EQUAL(heed_transformers_read_config(&config, folder_path("none"), "x", false, NULL, 0), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_transformers_read_config(&config, folder, "x", false, NULL, 0), HEED_INVALID);
  folder_remove();
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
           {"casing is read", casing_is_read})
