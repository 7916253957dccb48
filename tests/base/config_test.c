/* Configurations that are read: defaults, types, settings, what is printed and what a resumed run may change. */
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_fields.h"
#include "base/small_config.h"
#include "heed/log.h"
#include "test.h"

static void has_defaults(void) {
  heed_config c;
  CU_ASSERT_EQUAL_FATAL(parse(&c, ALL), HEED_OK);
  CU_ASSERT_STRING_EQUAL(c.run.name, "small");
  CU_ASSERT_STRING_EQUAL(c.run.output, "runs/small");
  CU_ASSERT_EQUAL(c.run.seed, 1234);
  CU_ASSERT_STRING_EQUAL(c.model.family, "bert");
  CU_ASSERT_EQUAL(c.model.vocabulary_size, 100);
  CU_ASSERT_EQUAL(c.model.layers, 2);
  CU_ASSERT_EQUAL(c.model.feed_forward, 32);
  CU_ASSERT_EQUAL(c.model.max_positions, 512);
  CU_ASSERT_EQUAL(c.model.token_types, 2);
  CU_ASSERT_EQUAL(c.model.activation, HEED_GELU);
  CU_ASSERT_EQUAL(c.model.dropout, 0.1);
  CU_ASSERT_EQUAL(c.model.layer_norm_epsilon, 1e-12);
  CU_ASSERT_PTR_NULL(c.data.train);
  CU_ASSERT_EQUAL(c.data.train_count, 0);
  CU_ASSERT_EQUAL(c.objective.masking, HEED_MASKING_FIXED);
  CU_ASSERT_EQUAL(c.objective.mask_probability, 0.15);
  CU_ASSERT_FALSE(c.objective.whole_word);
  CU_ASSERT_EQUAL(c.train.slices, 4); /* the largest power of two up to 8 that divides the batch */
  CU_ASSERT_EQUAL(c.train.precision, HEED_FP32);
  CU_ASSERT_PTR_NULL(c.train.start_from);
  CU_ASSERT_EQUAL(c.parallel.tensor, 1);
  CU_ASSERT_EQUAL(c.optimizer.name, HEED_ADAMW);
  CU_ASSERT_EQUAL(c.optimizer.learning_rate, 1e-3);
  CU_ASSERT_EQUAL(c.optimizer.epsilon, 1e-6);
  CU_ASSERT_TRUE(c.optimizer.bias_correction);
  CU_ASSERT_EQUAL(c.schedule.decay, HEED_LINEAR);
  CU_ASSERT_EQUAL(c.checkpoint.keep, 3);
  CU_ASSERT_EQUAL(c.log.every_steps, 10);
  heed_config_free(&c);
  CU_ASSERT_PTR_NULL(c.run.name);
}

static void reads_every_type(void) {
  heed_config c;
  CU_ASSERT_EQUAL_FATAL(parse(&c, "run: {output: /scratch/x/second/, seed: 4294967295}\n" MODEL TRAIN
                                  "optimizer: {name: lamb, learning_rate: 6.0e-3, bias_correction: off, beta1: 0, clip_norm: 0}\n"
                                  "data:\n  train: [a.h5, \"b*.h5\", 'ü \"c\\.h5']\n  validation: v.h5\n  vocabulary: vocab.txt\n"
                                  "objective: {masking: independent, whole_word: yes, next_sentence: true}\n"
                                  "schedule: {decay: stable, decay_steps: 3, warmup_steps: 7}\n"),
                        HEED_OK);
  CU_ASSERT_STRING_EQUAL(c.run.name, "second");
  CU_ASSERT_STRING_EQUAL(c.run.output, "/scratch/x/second/");
  CU_ASSERT_EQUAL(c.run.seed, 4294967295u);
  CU_ASSERT_EQUAL(c.optimizer.name, HEED_LAMB);
  CU_ASSERT_FALSE(c.optimizer.bias_correction);
  CU_ASSERT_EQUAL(c.optimizer.learning_rate, 6e-3);
  CU_ASSERT_EQUAL_FATAL(c.data.train_count, 3);
  CU_ASSERT_STRING_EQUAL(c.data.train[1], "b*.h5");
  CU_ASSERT_STRING_EQUAL(c.data.train[2], "ü \"c\\.h5");
  CU_ASSERT_EQUAL_FATAL(c.data.validation_count, 1);
  CU_ASSERT_STRING_EQUAL(c.data.validation[0], "v.h5");
  CU_ASSERT_EQUAL(c.objective.masking, HEED_MASKING_INDEPENDENT);
  CU_ASSERT_TRUE(c.objective.whole_word && c.objective.next_sentence);
  CU_ASSERT_EQUAL(c.schedule.decay, HEED_STABLE);
  heed_config_free(&c);
}

static void takes_settings(void) {
  heed_config c;
  const char *settings[] = {"model.layers=3",
                            "model.layers=4",
                            "optimizer.learning_rate=0.5",
                            "data.train=*.h5",
                            "run.name=a = b",
                            "run.seed=0",
                            "objective.whole_word=true",
                            "data.validation=[x.h5, \"y, z.h5\"]",
                            "data.vocabulary={v}: #.txt",
                            "train.slices=2",
                            "train.precision=bf16"};
  CU_ASSERT_EQUAL_FATAL(heed_config_parse(&c, ALL, "f.yaml", settings, sizeof settings / sizeof *settings), HEED_OK);
  CU_ASSERT_EQUAL(c.model.layers, 4); /* the last one counts */
  CU_ASSERT_EQUAL(c.optimizer.learning_rate, 0.5);
  CU_ASSERT_STRING_EQUAL(c.run.name, "a = b");
  CU_ASSERT_STRING_EQUAL(c.run.output, "runs/a = b");
  CU_ASSERT_EQUAL(c.run.seed, 0);
  CU_ASSERT_TRUE(c.objective.whole_word);
  CU_ASSERT_EQUAL(c.train.slices, 2);
  CU_ASSERT_EQUAL(c.train.precision, HEED_BF16);
  CU_ASSERT_STRING_EQUAL(c.data.train[0], "*.h5");
  CU_ASSERT_STRING_EQUAL(c.data.vocabulary, "{v}: #.txt");
  CU_ASSERT_EQUAL_FATAL(c.data.validation_count, 2);
  CU_ASSERT_STRING_EQUAL(c.data.validation[1], "y, z.h5");
  heed_config_free(&c);
}

/* Every default in the table is a value that its field takes. */
static void defaults_are_possible(void) {
  for (int i = 0; i < heed_config_field_count; i++) {
    char *text = (char *)heed_config_fields[i].fallback;
    if (text)
      CU_ASSERT_EQUAL(heed_config_check_value(&heed_config_fields[i], &text, 1), HEED_OK);
  }
}

static void prints_what_it_reads(void) {
  const char *settings[] = {"optimizer.beta2=0.98999999999999999",
                            "optimizer.learning_rate=3.3333333333333335e-4",
                            "model.layer_norm_epsilon=2.2250738585072014e-308",
                            "train.time_limit=12345.678",
                            "run.name=\"quoted\" \\ name",
                            "data.train=[\"a, b.h5\", \"c'd.h5\", \"ü\"]",
                            "data.vocabulary=null",
                            "train.start_from=~",
                            "model.activation=gelu_tanh",
                            "run.seed=4294967295",
                            "train.steps=4294967295",
                            "objective.next_sentence=on",
                            "schedule.decay=cosine"};
  heed_config first, second;
  char *printed, *again;
  CU_ASSERT_EQUAL_FATAL(heed_config_parse(&first, ALL, "f.yaml", settings, sizeof settings / sizeof *settings), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_config_print(&first, &printed), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_config_parse(&second, printed, "printed", NULL, 0), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_config_print(&second, &again), HEED_OK);
  CU_ASSERT_STRING_EQUAL(printed, again);
  CU_ASSERT_EQUAL(second.optimizer.beta2, 0.98999999999999999);
  CU_ASSERT_EQUAL(second.optimizer.learning_rate, 3.3333333333333335e-4);
  CU_ASSERT_EQUAL(second.model.layer_norm_epsilon, 2.2250738585072014e-308);
  CU_ASSERT_STRING_EQUAL(second.run.name, "\"quoted\" \\ name");
  CU_ASSERT_STRING_EQUAL(second.data.train[0], "a, b.h5");
  CU_ASSERT_STRING_EQUAL(second.data.vocabulary, "null");
  CU_ASSERT_STRING_EQUAL(second.train.start_from, "~");
  CU_ASSERT_PTR_NOT_NULL(strstr(printed, "learning_rate: 0.0003333333333333334\n"));
  CU_ASSERT_PTR_NOT_NULL(strstr(printed, "dropout: 0.1\n"));
  CU_ASSERT_PTR_NOT_NULL(strstr(printed, " epsilon: 1.0e-06\n"));
  /* every key stands there, but those that are empty */
  for (int i = 0; i < heed_config_field_count; i++) {
    const char *key = strchr(heed_config_fields[i].schema.key, '.') + 1;
    if (strcmp(key, "validation") != 0)
      CU_ASSERT_PTR_NOT_NULL(strstr(printed, key));
  }
  free(printed);
  free(again);
  heed_config_free(&first);
  heed_config_free(&second);
}

static heed_status resume_with(const char *setting) {
  heed_config saved, now;
  CU_ASSERT_EQUAL_FATAL(parse(&saved, ALL), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_config_parse(&now, ALL, "f.yaml", &setting, 1), HEED_OK);
  heed_status status = heed_config_check_resume(&saved, &now);
  heed_config_free(&saved);
  heed_config_free(&now);
  return status;
}

static void resumes_only_the_same_run(void) {
  static const char *const allowed[] = {
      "train.steps=20",        "train.time_limit=3",      "train.slices_at_once=1",   "train.recompute=block", "run.output=elsewhere",
      "schedule.decay=cosine", "schedule.warmup_steps=2", "checkpoint.every_steps=7", "checkpoint.keep=9",     "evaluate.batches=3",
      "log.every_steps=1",     "parallel.tensor=2",       "model.layers=2",           "data.train=a.h5",       "data.vocabulary=v.txt"};
  static const char *const other[] = {"run.seed=1",
                                      "run.name=other",
                                      "model.layers=3",
                                      "model.dropout=0.2",
                                      "objective.whole_word=true",
                                      "train.batch_sequences=8",
                                      "train.slices=2",
                                      "train.precision=bf16",
                                      "train.start_from=x",
                                      "optimizer.learning_rate=0.1",
                                      "optimizer.name=lamb"};
  heed_log_set_quiet(true);
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
    CU_ASSERT_EQUAL(resume_with(allowed[i]), HEED_OK);
  for (size_t i = 0; i < sizeof other / sizeof *other; i++)
    CU_ASSERT_EQUAL(resume_with(other[i]), HEED_INVALID);
  CU_ASSERT_EQUAL(resume_with("model.layers=3"), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "model.layers was 2 when the run was saved and is 3 now"));
  CU_ASSERT_EQUAL(resume_with("train.precision=bf16"), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "train.precision was fp32 when the run was saved and is bf16 now"));
  heed_log_set_quiet(false);
}

static void shipped_files_parse(void) {
  glob_t files;
  CU_ASSERT_EQUAL_FATAL(glob(HEED_SOURCE "/configs/*.yaml", 0, NULL, &files), 0);
  CU_ASSERT(files.gl_pathc >= 7);
  for (size_t i = 0; i < files.gl_pathc; i++) {
    heed_config c;
    heed_status status = heed_config_read(&c, files.gl_pathv[i], NULL, 0);
    CU_ASSERT_EQUAL(status, HEED_OK);
    if (status != HEED_OK)
      printf("\n    %s\n", heed_error_text());
    CU_ASSERT(c.data.train_count > 0 && c.data.vocabulary != NULL);
    const char *name = strrchr(files.gl_pathv[i], '/') + 1;
    CU_ASSERT(status == HEED_OK && strncmp(name, c.run.name, strlen(c.run.name)) == 0); /* bert-tiny.yaml: {name: bert-tiny} */
    heed_config_free(&c);
  }
  globfree(&files);
}

HEED_TESTS({"has defaults", has_defaults}, {"reads every type", reads_every_type}, {"takes settings", takes_settings},
           {"defaults are possible", defaults_are_possible}, {"prints what it reads", prints_what_it_reads},
           {"resumes only the same run", resumes_only_the_same_run}, {"shipped files parse", shipped_files_parse})
