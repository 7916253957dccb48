/** A small model that is saved as if it had been trained: its checkpoint for evaluation and inference, its weights to compare with. */
#ifndef HEED_TESTS_EVALUATE_TRAINED_H
#define HEED_TESTS_EVALUATE_TRAINED_H

#include "data/folder.h"
#include "heed/checkpoint.h"
#include "heed/config.h"
#include "models/model.h"
#include "reference/numbers.h"
#include "test.h"

enum { TRAINED_VOCABULARY = 16, TRAINED_POSITIONS = 12, TRAINED_WIDTH = 16, TRAINED_STEP = 7 };

static char trained_vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\non\nmat\n.\n##s\na\ndog\nran\nhome\n";
enum { PAD, UNKNOWN, CLASSIFY, SEPARATE, MASK, THE, CAT, SAT, ON, MAT, STOP, PLURAL, A, DOG, RAN, HOME };

typedef struct trained {
  char run[128];
  heed_config config;
  heed_model *model; /* planned for one sequence */
  float *parameters;
} trained;

/** Below `folder` (folder.h), without weights yet: numbers, or what `set` makes of zeros.  `model` is added to the keys of the model,
 * `more` to the configuration. */
static inline void trained_make_model(trained *t, const char *model, const char *more, void (*set)(const heed_parameter_table *, float *)) {
  char text[2048];
  *t = (trained){0};
  folder_make();
  snprintf(t->run, sizeof t->run, "%s/run", folder);
  snprintf(text, sizeof text,
           "run: {name: small, output: %s}\n"
           "model: {family: bert, vocabulary_size: 16, layers: 2, hidden: 16, heads: 2, feed_forward: 32, max_positions: 12%s}\n"
           "train: {steps: 9, sequence_length: 12, batch_sequences: 8, slices: 4}\n"
           "optimizer: {learning_rate: 1.0e-3}\n%s",
           t->run, model, more);
  if (heed_config_parse(&t->config, text, "small.yaml", NULL, 0) != HEED_OK)
    fprintf(stderr, "%s\n", heed_error_text());
  CU_ASSERT_PTR_NOT_NULL_FATAL(t->config.model.family);
  heed_model_sizes sizes = {.sequences = 1,
                            .tokens = TRAINED_POSITIONS,
                            .targets = TRAINED_POSITIONS,
                            .slices = 1,
                            .longest = TRAINED_POSITIONS,
                            .next_sentence = t->config.objective.next_sentence,
                            .token_head = true};
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&t->model, &t->config.model, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(t->model), HEED_OK);
  const heed_parameter_table *table = heed_model_table(t->model);
  t->parameters = set ? test_floats(table->total) : test_random(table->total, 1, 0.7);
  if (set)
    set(table, t->parameters);
}

static inline void trained_make(trained *t, const char *more, void (*set)(const heed_parameter_table *, float *)) {
  trained_make_model(t, "", more, set);
}

/** Saves it as step TRAINED_STEP with this vocabulary. */
static inline void trained_save(trained *t, char *vocabulary) {
  const heed_parameter_table *table = heed_model_table(t->model);
  heed_checkpoint_store *store = NULL;
  int64_t *cuts, count;
  CU_ASSERT_EQUAL_FATAL(heed_parameters_cuts(table, &cuts, &count), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_alone()->shard(heed_alone(), cuts, count, (int64_t[]){0, cuts[count - 1]}, 1), HEED_OK);
  free(cuts);
  heed_checkpoint_info info = {.step = TRAINED_STEP, .updates = TRAINED_STEP, .validation_loss = NAN, .vocabulary = vocabulary};
  CU_ASSERT_EQUAL_FATAL(heed_config_print(&t->config, &info.config), HEED_OK);
  heed_checkpoint_tensors tensors = {.table = table, .parameters = t->parameters};
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_store_open(&store, t->run, 2, heed_alone()), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_save(store, &info, &tensors), HEED_OK);
  heed_checkpoint_store_close(store);
  free(info.config);
}

static inline void trained_free(trained *t) {
  heed_model_free(t->model);
  heed_config_free(&t->config);
  folder_remove();
  test_release();
}

#endif
