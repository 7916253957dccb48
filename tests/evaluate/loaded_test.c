/* A checkpoint taken apart: what it gives back, and what is refused before any weight is read. */
#include "evaluate/loaded.h"

#include "evaluate/trained.h"
#include "stranger.h"

static void all_parts_come_back(void) {
  trained t;
  heed_loaded loaded;
  char path[256];
  trained_make(&t, "objective: {next_sentence: true}\n", NULL);
  trained_save(&t, trained_vocabulary);
  snprintf(path, sizeof path, "%s/checkpoints/step-%08d", t.run, TRAINED_STEP);
  CU_ASSERT_EQUAL_FATAL(heed_loaded_open(&loaded, t.run, heed_alone()), HEED_OK);
  CU_ASSERT_STRING_EQUAL(loaded.folder, path);
  CU_ASSERT_EQUAL(loaded.info.step, TRAINED_STEP);
  CU_ASSERT_EQUAL(loaded.config.model.hidden, TRAINED_WIDTH);
  CU_ASSERT_EQUAL(loaded.config.train.slices, 4);
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_token(loaded.tokenizer, HOME), "home");
  CU_ASSERT_PTR_NULL(loaded.model); /* nothing of size yet */
  CU_ASSERT_PTR_NULL(loaded.parameters);

  heed_model_sizes sizes = {.sequences = 1, .tokens = 12, .targets = 2, .slices = 1, .longest = 12, .token_head = true};
  sizes.next_sentence = true;
  CU_ASSERT_EQUAL_FATAL(heed_loaded_weights(&loaded, &sizes, heed_alone()), HEED_OK);
  const heed_parameter_table *table = heed_model_table(loaded.model);
  CU_ASSERT_EQUAL_FATAL(table->total, heed_model_table(t.model)->total);
  CU_ASSERT_EQUAL(memcmp(loaded.parameters, t.parameters, (size_t)table->total * sizeof(float)), 0);
  heed_loaded_free(&loaded);
  trained_free(&t);
}

/* A model without the heads reads its own tensors from among the others. */
static void heads_may_be_left_behind(void) {
  trained t;
  heed_loaded loaded;
  trained_make(&t, "objective: {next_sentence: true}\n", NULL);
  trained_save(&t, trained_vocabulary);
  heed_model_sizes sizes = {.sequences = 1, .tokens = 12, .targets = 2, .slices = 1, .longest = 12};
  CU_ASSERT_EQUAL_FATAL(heed_loaded_open(&loaded, t.run, heed_alone()), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_loaded_weights(&loaded, &sizes, heed_alone()), HEED_OK);
  const heed_parameter_table *table = heed_model_table(loaded.model), *whole = heed_model_table(t.model);
  CU_ASSERT(table->count < whole->count);
  for (int64_t i = 0; i < table->count; i++) {
    const heed_parameter *p = &table->items[i], *q = &whole->items[heed_parameters_find(whole, p->name)];
    CU_ASSERT_EQUAL(memcmp(loaded.parameters + p->offset, t.parameters + q->offset, (size_t)p->count * sizeof(float)), 0);
  }
  heed_loaded_free(&loaded);
  trained_free(&t);
}

static void a_vocabulary_of_another_size_is_refused(void) {
  static char shorter[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n";
  trained t;
  heed_loaded loaded;
  trained_make(&t, "", NULL);
  trained_save(&t, shorter);
  CU_ASSERT_EQUAL(heed_loaded_open(&loaded, t.run, heed_alone()), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), t.run));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "6 tokens, its model 16"));
  heed_loaded_free(&loaded);
  trained_free(&t);
}

static void a_vocabulary_that_is_none_is_refused(void) {
  static char none[] = "the\ncat\n";
  trained t;
  heed_loaded loaded;
  trained_make(&t, "", NULL);
  trained_save(&t, none);
  CU_ASSERT_EQUAL(heed_loaded_open(&loaded, t.run, heed_alone()), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), t.run));
  heed_loaded_free(&loaded);
  trained_free(&t);
}

static void no_checkpoint_is_refused(void) {
  trained t;
  heed_loaded loaded;
  trained_make(&t, "", NULL); /* not saved */
  CU_ASSERT_EQUAL(heed_loaded_open(&loaded, t.run, heed_alone()), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), t.run));
  heed_loaded_free(&loaded);
  trained_free(&t);
}

static void an_unknown_level_is_refused(void) {
  trained t;
  heed_loaded loaded;
  const char *level = getenv("HEED_ISA");
  char *before = level ? strdup(level) : NULL;
  trained_make(&t, "", NULL);
  trained_save(&t, trained_vocabulary);
  setenv("HEED_ISA", "v9", 1);
  CU_ASSERT_EQUAL(heed_loaded_open(&loaded, t.run, heed_alone()), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "HEED_ISA"));
  if (before)
    setenv("HEED_ISA", before, 1);
  else
    unsetenv("HEED_ISA");
  free(before);
  heed_loaded_free(&loaded);
  trained_free(&t);
}

static int open_weights(const void *run) {
  static const heed_model_sizes sizes = {.sequences = 1, .tokens = 12, .targets = 2, .slices = 1, .longest = 12, .token_head = true};
  heed_loaded loaded;
  heed_status status = heed_loaded_open(&loaded, run, heed_alone());
  if (status == HEED_OK)
    status = heed_loaded_weights(&loaded, &sizes, heed_alone());
  return status == HEED_INVALID && strstr(heed_error_text(), "of another model") ? 0 : 1;
}

/* A small file whose configuration asks for more than any memory, or for more layers than it holds. */
static void a_model_larger_than_its_file_is_refused(void) {
  static const int64_t layers[] = {1024, 3}, hidden[] = {1 << 20, 16};
  for (int i = 0; i < 2; i++) {
    trained t;
    trained_make(&t, "", NULL);
    t.config.model.layers = layers[i];
    t.config.model.hidden = hidden[i];
    trained_save(&t, trained_vocabulary);
    CU_ASSERT_EQUAL(limits_run(open_weights, t.run), 0);
    trained_free(&t);
  }
}

HEED_TESTS({"a model larger than its file is refused", a_model_larger_than_its_file_is_refused},
           {"all parts come back", all_parts_come_back}, {"heads may be left behind", heads_may_be_left_behind},
           {"a vocabulary of another size is refused", a_vocabulary_of_another_size_is_refused},
           {"a vocabulary that is none is refused", a_vocabulary_that_is_none_is_refused},
           {"no checkpoint is refused", no_checkpoint_is_refused}, {"an unknown level is refused", an_unknown_level_is_refused})
