/* Export: what is written imports again to the same bits, and appears whole or not at all. */
#include <jansson.h>

#include "convert/model_folder.h"

static json_t *read_json(const char *name) {
  json_t *json = json_load_file(folder_path(name), 0, NULL);
  CU_ASSERT_PTR_NOT_NULL_FATAL(json);
  return json;
}

static void a_round_trip_keeps_everything(void) {
  for (int next_sentence = 0; next_sentence < 2; next_sentence++) {
    heed_model *model = model_plan(next_sentence);
    const heed_parameter_table *table = heed_model_table(model);
    heed_import_report report;
    float *values;
    folder_make();
    model_write(table, NULL, &values);
    heed_import_spec spec = {.weights = folder, .casing = HEED_CASED, .output = folder_path("first")};
    CU_ASSERT_EQUAL_FATAL(heed_import(&spec, &report), HEED_OK);
    heed_import_report_free(&report);
    CU_ASSERT_EQUAL_FATAL(heed_export(folder_path("first"), folder_path("hf")), HEED_OK);
    spec = (heed_import_spec){.weights = folder_path("hf/model.safetensors"), .output = folder_path("second")};
    CU_ASSERT_EQUAL_FATAL(heed_import(&spec, &report), HEED_OK);
    CU_ASSERT_TRUE(report.cased); /* as tokenizer_config.json says */
    CU_ASSERT_EQUAL(report.tensors, table->count);
    heed_import_report_free(&report);
    CU_ASSERT_EQUAL(memcmp(model_weights(folder_path("second"), table), values, (size_t)table->total * sizeof *values), 0);

    json_t *config = read_json("hf/config.json"), *tokenizer = read_json("hf/tokenizer_config.json"),
           *whole = read_json("hf/tokenizer.json");
    const json_t *words = json_object_get(json_object_get(whole, "model"), "vocab");
    CU_ASSERT_EQUAL(json_object_size(words), json_integer_value(json_object_get(config, "vocab_size")));
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(words, "[MASK]")), 4);
    CU_ASSERT_TRUE(json_is_false(json_object_get(json_object_get(whole, "normalizer"), "lowercase")));
    CU_ASSERT_STRING_EQUAL(json_string_value(json_array_get(json_object_get(config, "architectures"), 0)),
                           next_sentence ? "BertForPreTraining" : "BertForMaskedLM");
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(config, "intermediate_size")), 12);
    CU_ASSERT_TRUE(json_is_false(json_object_get(tokenizer, "do_lower_case")));
    json_decref(config);
    json_decref(tokenizer);
    json_decref(whole);
    heed_model_free(model);
    folder_remove();
    test_release();
  }
}

static void folders_in_use_are_left_alone(void) {
  heed_model *model = model_plan(false);
  heed_import_report report;
  float *values;
  size_t bytes;
  folder_make();
  model_write(heed_model_table(model), NULL, &values);
  CU_ASSERT_EQUAL_FATAL(model_import("first", &report), HEED_OK);
  heed_import_report_free(&report);
  CU_ASSERT_EQUAL(mkdir(folder_path("empty"), 0777), 0);
  CU_ASSERT_EQUAL(heed_export(folder_path("first"), folder_path("empty/")), HEED_OK);
  CU_ASSERT_EQUAL(heed_export(folder_path("first"), folder_path("empty")), HEED_INVALID); /* not empty any more */
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "no empty folder"));
  CU_ASSERT_EQUAL(heed_export(folder_path("first"), folder_path("config.json")), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_export(folder_path("none"), folder_path("hf")), HEED_INVALID);
  char *text = folder_read("config.json", &bytes);
  CU_ASSERT_STRING_EQUAL(text, model_config);
  free(text);
  CU_ASSERT_NOT_EQUAL(access(folder_path("hf"), F_OK), 0);
  heed_model_free(model);
  folder_remove();
  test_release();
}

HEED_TESTS({"a round trip keeps everything", a_round_trip_keeps_everything},
           {"folders in use are left alone", folders_in_use_are_left_alone})
