/* Evaluating a checkpoint as a job: the data it takes, the scores it gives, and what is refused. */
#include "evaluate/run.h"

#include "data/shard_writer.h"
#include "evaluate/trained.h"

/* Thirty short documents of known tokens, as a shard `name` in the folder. */
static void write_shard(const char *name, const char *vocabulary) {
  heed_tokenizer *tokenizer;
  heed_shard_writer *writer;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&tokenizer, vocabulary, strlen(vocabulary), "vocabulary", false), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_shard_writer_create(&writer, folder_path(name), tokenizer), HEED_OK);
  for (int32_t d = 0; d < 30; d++) {
    for (int32_t s = 0; s < 2; s++) {
      const int32_t sentence[5] = {THE, THE + (3 * d + s) % (TRAINED_VOCABULARY - THE), SAT, ON + (d + s) % 3, STOP};
      CU_ASSERT_EQUAL_FATAL(heed_shard_writer_sentence(writer, sentence, 5), HEED_OK);
    }
    CU_ASSERT_EQUAL_FATAL(heed_shard_writer_document(writer), HEED_OK);
  }
  CU_ASSERT_EQUAL_FATAL(heed_shard_writer_finish(writer), HEED_OK);
  heed_shard_writer_free(writer);
  heed_tokenizer_free(tokenizer);
}

/* The same scores from the parts: this model, a sampler over the shard, one slice at a time. */
static heed_token_scores by_parts(const trained *t, const char *path) {
  heed_tokenizer *tokenizer;
  heed_sampler *sampler;
  heed_model *model;
  heed_token_evaluator *evaluator;
  const heed_train_config *train = &t->config.train;
  int64_t rows = train->batch_sequences / train->slices;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&tokenizer, trained_vocabulary, strlen(trained_vocabulary), "vocabulary", false), HEED_OK);
  heed_sampler_spec of = {.paths = &path,
                          .path_count = 1,
                          .tokenizer = tokenizer,
                          .objective = t->config.objective,
                          .sequence_length = train->sequence_length,
                          .batch_sequences = train->batch_sequences,
                          .slices = train->slices,
                          .evaluation = true};
  CU_ASSERT_EQUAL_FATAL(heed_sampler_create(&sampler, &of), HEED_OK);
  heed_model_sizes sizes = {.sequences = rows,
                            .tokens = rows * train->sequence_length,
                            .targets = heed_sampler_most_targets(sampler, rows),
                            .slices = 1,
                            .longest = train->sequence_length,
                            .token_head = true};
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&model, &t->config.model, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(model), HEED_OK);
  heed_token_spec spec = {
      .model = model, .sampler = sampler, .tokenizer = tokenizer, .communication = heed_alone(), .config = &t->config, .slices_at_once = 1};
  CU_ASSERT_EQUAL_FATAL(heed_token_evaluator_create(&evaluator, &spec), HEED_OK);
  heed_token_scores scores = heed_token_evaluate(evaluator, t->parameters, 0);
  heed_token_evaluator_free(evaluator);
  heed_model_free(model);
  heed_sampler_free(sampler);
  heed_tokenizer_free(tokenizer);
  return scores;
}

static void scores_are_those_of_the_parts(void) {
  trained t;
  heed_token_scores scores;
  int64_t step = 0;
  trained_make(&t, "", NULL);
  trained_save(&t, trained_vocabulary);
  write_shard("data.h5", trained_vocabulary);
  const char *path = folder_path("data.h5");
  CU_ASSERT_EQUAL_FATAL(heed_evaluate_checkpoint(t.run, path, heed_alone(), &scores, &step), HEED_OK);
  CU_ASSERT_EQUAL(step, TRAINED_STEP);
  heed_token_scores want = by_parts(&t, path);
  CU_ASSERT(want.targets > 30);
  CU_ASSERT_EQUAL(memcmp(&scores, &want, sizeof want), 0);
  trained_free(&t);
}

/* Without --data the configuration's own data is taken. */
static void validation_data_is_the_default(void) {
  trained t;
  heed_token_scores scores, named;
  int64_t step;
  trained_make(&t, "", NULL);
  char *path = strdup(folder_path("validation.h5"));
  t.config.data.validation = malloc(sizeof *t.config.data.validation);
  t.config.data.validation[0] = path;
  t.config.data.validation_count = 1;
  trained_save(&t, trained_vocabulary);
  write_shard("validation.h5", trained_vocabulary);
  CU_ASSERT_EQUAL_FATAL(heed_evaluate_checkpoint(t.run, NULL, heed_alone(), &scores, &step), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_evaluate_checkpoint(t.run, path, heed_alone(), &named, &step), HEED_OK);
  CU_ASSERT_EQUAL(memcmp(&scores, &named, sizeof named), 0);
  trained_free(&t);
}

static void what_does_not_fit_is_refused(void) {
  trained t;
  heed_token_scores scores;
  int64_t step;
  heed_communication three = *heed_alone();
  three.data = &three;
  trained_make(&t, "", NULL);
  trained_save(&t, trained_vocabulary);
  CU_ASSERT_EQUAL(heed_evaluate_checkpoint(t.run, NULL, heed_alone(), &scores, &step), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "--data"));

  write_shard("data.h5", trained_vocabulary);
  three.size = 3;
  CU_ASSERT_EQUAL(heed_evaluate_checkpoint(t.run, folder_path("data.h5"), &three, &scores, &step), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "3 ranks cannot share 4 slices"));

  CU_ASSERT_EQUAL(heed_evaluate_checkpoint(t.run, folder_path("missing.h5"), heed_alone(), &scores, &step), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "missing.h5"));
  CU_ASSERT_EQUAL(heed_evaluate_checkpoint(folder_path("nowhere"), folder_path("data.h5"), heed_alone(), &scores, &step), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "nowhere"));
  trained_free(&t);
}

/* As many tokens, two of which have changed places. */
static void data_of_another_vocabulary_is_refused(void) {
  trained t;
  heed_token_scores scores;
  int64_t step;
  trained_make(&t, "", NULL);
  trained_save(&t, trained_vocabulary);
  char *other = strdup(trained_vocabulary), *cat = strstr(other, "cat"), *mat = strstr(other, "mat");
  *cat = 'm';
  *mat = 'c';
  write_shard("other.h5", other);
  CU_ASSERT_EQUAL(heed_evaluate_checkpoint(t.run, folder_path("other.h5"), heed_alone(), &scores, &step), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "other.h5"));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "vocabulary"));
  free(other);
  trained_free(&t);
}

HEED_TESTS({"scores are those of the parts", scores_are_those_of_the_parts},
           {"validation data is the default", validation_data_is_the_default},
           {"what does not fit is refused", what_does_not_fit_is_refused},
           {"data of another vocabulary is refused", data_of_another_vocabulary_is_refused})
