/* Generation from a checkpoint: prompts in, texts out, and what is refused. */
#include "heed/generation.h"

#include "evaluate/trained.h"

static const heed_sampling cold = {.temperature = 0, .top_p = 1};
static const char *const prompts[] = {"the cat sat", "a", ""};
enum { PROMPTS = sizeof prompts / sizeof *prompts };

static void make(trained *t) {
  trained_make_model(t, ", causal: true", "objective: {predict: next_token}\n", NULL);
  trained_save(t, trained_vocabulary);
}

static void texts_go_on(void) {
  trained t;
  heed_continuation first[PROMPTS];
  make(&t);
  for (int cache = 0; cache < 2; cache++) {
    heed_generation *g;
    heed_continuation made[PROMPTS];
    CU_ASSERT_EQUAL_FATAL(heed_generation_open(&g, t.run, PROMPTS, cache), HEED_OK);
    CU_ASSERT_EQUAL(heed_generation_step(g), TRAINED_STEP);
    CU_ASSERT_EQUAL(heed_generation_positions(g), TRAINED_POSITIONS);
    CU_ASSERT_EQUAL(heed_tokenizer_size(heed_generation_tokenizer(g)), TRAINED_VOCABULARY);
    CU_ASSERT_EQUAL_FATAL(heed_generate(g, prompts, PROMPTS, 5, &cold, made, NULL, NULL), HEED_OK);
    CU_ASSERT(made[0].prompt == 3 && made[0].ids[0] == THE && made[0].ids[1] == CAT && made[0].ids[2] == SAT);
    CU_ASSERT(made[1].prompt == 1 && made[1].ids[0] == A);
    CU_ASSERT(made[2].prompt == 1 && made[2].ids[0] == SEPARATE); /* a new text */
    for (int b = 0; b < PROMPTS; b++) {
      CU_ASSERT(made[b].ended ? made[b].count - made[b].prompt < 5 : made[b].count - made[b].prompt == 5);
      if (cache == 0) {
        first[b] = made[b];
        continue;
      }
      CU_ASSERT(made[b].count == first[b].count && made[b].ended == first[b].ended);
      CU_ASSERT_EQUAL(memcmp(made[b].ids, first[b].ids, (size_t)made[b].count * sizeof *made[b].ids), 0);
      heed_continuation_free(&made[b]);
      heed_continuation_free(&first[b]);
    }
    heed_generation_free(g);
  }
  trained_free(&t);
}

static void what_does_not_fit_is_refused(void) {
  trained t;
  heed_generation *g = NULL;
  heed_continuation made[PROMPTS + 1];
  static const char *const long_prompt = "the cat sat on the mat the cat sat on the mat";
  make(&t);
  CU_ASSERT_EQUAL_FATAL(heed_generation_open(&g, t.run, PROMPTS, true), HEED_OK);
  CU_ASSERT_EQUAL(heed_generate(g, &long_prompt, 1, 5, &cold, made, NULL, NULL), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "12 tokens"));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "shorten it"));
  const char *const many[PROMPTS + 1] = {"a", "a", "a", "a"};
  CU_ASSERT_EQUAL(heed_generate(g, many, PROMPTS + 1, 5, &cold, made, NULL, NULL), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "opened for 3"));
  CU_ASSERT_EQUAL(heed_generate(g, prompts, PROMPTS, 5, &cold, made, NULL, NULL), HEED_OK); /* and goes on */
  for (int b = 0; b < PROMPTS; b++)
    heed_continuation_free(&made[b]);
  heed_generation_free(g);
  g = NULL;
  CU_ASSERT_EQUAL(heed_generation_open(&g, folder_path("nowhere"), 1, true), HEED_INVALID);
  CU_ASSERT_PTR_NULL(g);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "nowhere"));
  trained_free(&t);
}

static void a_model_that_sees_what_is_behind_is_refused(void) {
  trained t;
  heed_generation *g = NULL;
  trained_make(&t, "", NULL);
  trained_save(&t, trained_vocabulary);
  CU_ASSERT_EQUAL(heed_generation_open(&g, t.run, 1, true), HEED_INVALID);
  CU_ASSERT_PTR_NULL(g);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "model.causal: false"));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "heed fill"));
  trained_free(&t);
}

static void set_broken(const heed_parameter_table *table, float *parameters) {
  for (int64_t i = 0; i < table->total; i++)
    parameters[i] = 1e30f * (float)test_number(1, i);
}

static void weights_that_break_numbers_are_told(void) {
  trained t;
  heed_generation *g = NULL;
  heed_continuation made[1];
  trained_make_model(&t, ", causal: true", "", set_broken);
  trained_save(&t, trained_vocabulary);
  CU_ASSERT_EQUAL_FATAL(heed_generation_open(&g, t.run, 1, true), HEED_OK);
  CU_ASSERT_EQUAL(heed_generate(g, prompts, 1, 5, &cold, made, NULL, NULL), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), t.run));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not finite"));
  heed_generation_free(g);
  trained_free(&t);
}

HEED_TESTS({"texts go on", texts_go_on}, {"what does not fit is refused", what_does_not_fit_is_refused},
           {"a model that sees what is behind is refused", a_model_that_sees_what_is_behind_is_refused},
           {"weights that break numbers are told", weights_that_break_numbers_are_told})
