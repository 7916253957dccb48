/* Import: weights keep their bits under every name they may have; heads that are missing are initialised; what does not fit is refused. */
#include <time.h>

#include "convert/model_folder.h"

static bool without_prefix(char name[HEED_MAX_NAME + 1]) {
  if (strncmp(name, "bert.", 5) == 0)
    memmove(name, name + 5, strlen(name + 5) + 1);
  return true;
}

static bool old_names(char name[HEED_MAX_NAME + 1]) {
  char *at = strstr(name, "LayerNorm.");
  if (at)
    strcpy(at, strcmp(at, "LayerNorm.weight") == 0 ? "LayerNorm.gamma" : "LayerNorm.beta");
  return true;
}

static bool bare_body(char name[HEED_MAX_NAME + 1]) {
  return strncmp(name, "bert.", 5) == 0 && without_prefix(name);
}

static bool bias_beside_decoder(char name[HEED_MAX_NAME + 1]) {
  if (strcmp(name, "cls.predictions.bias") == 0)
    strcpy(name, "cls.predictions.decoder.bias");
  return true;
}

/* Every tensor arrives, whatever it was called; the next-sentence head is found by itself. */
static void names_old_and_new(void) {
  const model_rename renames[] = {NULL, without_prefix, old_names, bias_beside_decoder};
  for (int next_sentence = 0; next_sentence < 2; next_sentence++)
    for (size_t i = 0; i < sizeof renames / sizeof *renames; i++) {
      heed_model *model = model_plan(next_sentence);
      const heed_parameter_table *table = heed_model_table(model);
      heed_import_report report;
      float *values;
      folder_make();
      model_write(table, renames[i], &values);
      heed_status status = model_import("out", &report);
      if (status != HEED_OK)
        fprintf(stderr, "%s\n", heed_error_text());
      CU_ASSERT_EQUAL_FATAL(status, HEED_OK);
      CU_ASSERT_EQUAL(report.tensors, table->count);
      CU_ASSERT_EQUAL(report.parameters, table->total);
      CU_ASSERT_STRING_EQUAL(report.initialised, "");
      CU_ASSERT_STRING_EQUAL(report.left_out, "");
      CU_ASSERT_EQUAL(memcmp(model_weights(folder_path("out"), table), values, (size_t)table->total * sizeof *values), 0);
      heed_import_report_free(&report);
      heed_model_free(model);
      folder_remove();
      test_release();
    }
}

static void missing_heads_are_initialised(void) {
  heed_model *model = model_plan(false), *with_pooler = model_plan(true);
  const heed_parameter_table *table = heed_model_table(model);
  heed_import_report report;
  float *values, *initial = test_floats(table->total);
  folder_make();
  model_write(heed_model_table(with_pooler), bare_body, &values);
  CU_ASSERT_EQUAL_FATAL(model_import("out", &report), HEED_OK);
  CU_ASSERT_PTR_NOT_NULL(strstr(report.initialised, "cls.predictions.bias, cls.predictions.transform.dense.weight"));
  CU_ASSERT_STRING_EQUAL(report.left_out, "pooler.dense.weight, pooler.dense.bias");
  heed_parameters_initialise(table, initial, 1234);
  const float *weights = model_weights(folder_path("out"), table);
  int64_t head = table->items[heed_parameters_find(table, "cls.predictions.bias")].offset;
  CU_ASSERT_EQUAL(memcmp(weights, values, (size_t)head * sizeof *values), 0);
  CU_ASSERT_EQUAL(memcmp(weights + head, initial + head, (size_t)(table->total - head) * sizeof *values), 0);
  heed_import_report_free(&report);
  heed_model_free(model);
  heed_model_free(with_pooler);
  folder_remove();
  test_release();
}

/* The pooler is kept when the configuration asks for next sentences, whose classifier is then new. */
static void settings_reach_the_configuration(void) {
  static const char *const settings[] = {"objective.next_sentence=true", "train.sequence_length=9"};
  heed_model *model = model_plan(true);
  heed_import_report report;
  heed_loaded loaded;
  float *values;
  folder_make();
  model_write(heed_model_table(model), bare_body, &values);
  heed_import_spec spec = {.weights = folder, .output = folder_path("out/"), .settings = settings, .setting_count = 2};
  CU_ASSERT_EQUAL_FATAL(heed_import(&spec, &report), HEED_OK);
  CU_ASSERT_STRING_EQUAL(report.left_out, "");
  CU_ASSERT_PTR_NOT_NULL(strstr(report.initialised, "cls.seq_relationship.weight"));
  CU_ASSERT_EQUAL(heed_loaded_open(&loaded, folder_path("out"), heed_alone()), HEED_OK);
  CU_ASSERT_EQUAL(loaded.config.train.sequence_length, 9);
  CU_ASSERT_STRING_EQUAL(loaded.config.run.name, "out");
  CU_ASSERT_TRUE(loaded.config.objective.next_sentence);
  CU_ASSERT_EQUAL(loaded.info.step, 0);
  heed_loaded_free(&loaded);
  heed_import_report_free(&report);
  heed_model_free(model);
  folder_remove();
  test_release();
}

/* More rows than tokens: the rest gets names; fewer: another model's vocabulary. */
static void vocabulary_is_filled_up(void) {
  heed_model *model = model_plan(false);
  heed_import_report report;
  heed_loaded loaded;
  float *values;
  folder_make();
  model_write(heed_model_table(model), NULL, &values);
  folder_write("vocab.txt", model_vocabulary, strlen(model_vocabulary) - strlen("ran\nhome\n"));
  folder_write_text("tokenizer_config.json", "{\"do_lower_case\": false}");
  CU_ASSERT_EQUAL_FATAL(model_import("out", &report), HEED_OK);
  CU_ASSERT_EQUAL(report.vocabulary_filled_up, 2);
  CU_ASSERT_TRUE(report.cased);
  CU_ASSERT_EQUAL_FATAL(heed_loaded_open(&loaded, folder_path("out"), heed_alone()), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_size(loaded.tokenizer), 16);
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_token(loaded.tokenizer, 15), "[padding-1]");
  CU_ASSERT_TRUE(heed_tokenizer_is_cased(loaded.tokenizer));
  heed_loaded_free(&loaded);
  heed_import_report_free(&report);
  folder_write_text("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\nl\n");
  CU_ASSERT_EQUAL(model_import("other", &report), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "has 17 tokens"));
  heed_model_free(model);
  folder_remove();
  test_release();
}

/* Rows without tokens are padding when few, and otherwise a sign of another model's vocabulary. */
static void another_vocabulary_is_refused(void) {
  heed_model *model = model_plan_of(1100, false);
  heed_import_report report;
  float *values;
  folder_make();
  model_write(heed_model_table(model), NULL, &values);
  folder_write_text("config.json", "{\"model_type\": \"bert\", \"vocab_size\": 1100, \"num_hidden_layers\": 2, \"hidden_size\": 8, "
                                   "\"num_attention_heads\": 2, \"intermediate_size\": 12, \"max_position_embeddings\": 12}");
  CU_ASSERT_EQUAL(model_import("out", &report), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "it is another model's vocabulary"));
  heed_model_free(model);
  folder_remove();
  test_release();
}

/* A small file beside a configuration of any size, or of very many names, is answered at once. */
static void what_a_stranger_asks_for_is_bounded(void) {
  enum { NAMES = 60000 };
#ifdef __SANITIZE_ADDRESS__
  const double seconds = 60; /* reading 15 MB of JSON takes a quarter of that under the sanitizer on a slow machine */
#else
  const double seconds = 10;
#endif
  heed_import_report report;
  size_t bytes;
  char *text;
  folder_make();
  folder_write_text("vocab.txt", model_vocabulary);
  folder_write_text("config.json", "{\"model_type\": \"bert\", \"vocab_size\": 16777216, \"num_hidden_layers\": 24, \"hidden_size\": 8192, "
                                   "\"num_attention_heads\": 2, \"intermediate_size\": 32768}");
  FILE *out = open_memstream(&text, &bytes);
  fwrite("\0\0\0\0\0\0\0\0{", 1, 9, out);
  for (int i = 0; i < NAMES; i++)
    fprintf(out, "%s\"%0200d\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? "," : "", i);
  fputc('}', out);
  fclose(out);
  for (int i = 0; i < 8; i++)
    text[i] = (char)((uint64_t)(bytes - 8) >> (8 * i) & 0xFF);
  folder_write("model.safetensors", text, bytes);
  free(text);
  clock_t begin = clock();
  CU_ASSERT_EQUAL(model_import("out", &report), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "bert.embeddings.word_embeddings.weight is missing"));
  CU_ASSERT((double)(clock() - begin) / CLOCKS_PER_SEC < seconds);
  folder_remove();
}

static bool lacks_a_layer(char name[HEED_MAX_NAME + 1]) {
  return !strstr(name, "layer.1.output.dense.bias");
}
static bool has_one_layer_more(char name[HEED_MAX_NAME + 1]) {
  if (strcmp(name, "cls.predictions.transform.dense.bias") == 0)
    strcpy(name, "bert.encoder.layer.2.output.dense.bias");
  return true;
}
static bool another_decoder(char name[HEED_MAX_NAME + 1]) {
  if (strcmp(name, "bert.encoder.layer.0.attention.self.query.weight") == 0)
    strcpy(name, "cls.predictions.decoder.bias");
  return true;
}

static void expect_refused(model_rename rename, const char *config, const char *message) {
  heed_model *model = model_plan(false);
  heed_import_report report;
  float *values;
  folder_make();
  model_write(heed_model_table(model), rename, &values);
  if (config)
    folder_write_text("config.json", config);
  heed_status status = model_import("out", &report);
  if (status != HEED_INVALID || !strstr(heed_error_text(), message))
    fprintf(stderr, "\n'%s' expected, status %d: %s\n", message, status, heed_error_text());
  CU_ASSERT_EQUAL(status, HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), message));
  CU_ASSERT_NOT_EQUAL(access(folder_path("out"), F_OK), 0);
  heed_model_free(model);
  folder_remove();
  test_release();
}

static void what_does_not_fit_is_refused(void) {
  expect_refused(lacks_a_layer, NULL, "bert.encoder.layer.1.output.dense.bias is missing");
  expect_refused(has_one_layer_more, NULL, "bert.encoder.layer.2.output.dense.bias has no place");
  expect_refused(another_decoder, NULL, "is missing");
  expect_refused(
      NULL,
      "{\"model_type\": \"bert\", \"vocab_size\": 16, \"num_hidden_layers\": 2, \"hidden_size\": 10, \"num_attention_heads\": 2, "
      "\"intermediate_size\": 12, \"max_position_embeddings\": 12}",
      "has the shape [16, 8]");
  expect_refused(NULL, "{\"model_type\": \"t5\"}", "'t5' is not built yet");
}

/* A number that is not finite would spread through every result. */
static void broken_numbers_are_refused(void) {
  heed_model *model = model_plan(false);
  heed_import_report report;
  float *values;
  size_t bytes = 0;
  folder_make();
  model_write(heed_model_table(model), NULL, &values);
  char *data = folder_read("model.safetensors", &bytes);
  memcpy(data + bytes - 8, "\0\0\300\177", 4);
  folder_write("model.safetensors", data, bytes);
  CU_ASSERT_EQUAL(model_import("out", &report), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not finite"));
  free(data);
  heed_model_free(model);
  folder_remove();
  test_release();
}

/* What is at the output's place stays. */
static void nothing_is_overwritten(void) {
  heed_model *model = model_plan(false);
  heed_import_report report;
  float *values;
  size_t bytes;
  folder_make();
  model_write(heed_model_table(model), NULL, &values);
  CU_ASSERT_EQUAL(mkdir(folder_path("out"), 0777), 0);
  folder_write_text("out/mine", "stays");
  CU_ASSERT_EQUAL(model_import("out", &report), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "there already"));
  CU_ASSERT_EQUAL(model_import("config.json", &report), HEED_INVALID);
  CU_ASSERT_EQUAL(model_import("config.json/out", &report), HEED_INVALID);
  char *text = folder_read("out/mine", &bytes);
  CU_ASSERT_STRING_EQUAL(text, "stays");
  free(text);
  CU_ASSERT_EQUAL(model_import("new/deep/out", &report), HEED_OK); /* folders on the way are made */
  heed_import_report_free(&report);
  heed_model_free(model);
  folder_remove();
  test_release();
}

HEED_TESTS({"names old and new", names_old_and_new}, {"missing heads are initialised", missing_heads_are_initialised},
           {"settings reach the configuration", settings_reach_the_configuration}, {"vocabulary is filled up", vocabulary_is_filled_up},
           {"another vocabulary is refused", another_vocabulary_is_refused},
           {"what a stranger asks for is bounded", what_a_stranger_asks_for_is_bounded},
           {"what does not fit is refused", what_does_not_fit_is_refused}, {"broken numbers are refused", broken_numbers_are_refused},
           {"nothing is overwritten", nothing_is_overwritten})
