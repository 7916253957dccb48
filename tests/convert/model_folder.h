/** A small BERT as transformers would have saved it: a folder with weights under chosen names, config.json and vocab.txt. */
#ifndef HEED_TESTS_CONVERT_MODEL_FOLDER_H
#define HEED_TESTS_CONVERT_MODEL_FOLDER_H

#include <fcntl.h>
#include <sys/stat.h>

#include "checkpoint/safetensors.h"
#include "data/folder.h"
#include "evaluate/loaded.h"
#include "heed/convert.h"
#include "reference/numbers.h"
#include "test.h"

#define MODEL_CONFIG                                                                                                          \
  "\"vocab_size\": 16, \"num_hidden_layers\": 2, \"hidden_size\": 8, \"num_attention_heads\": 2, \"intermediate_size\": 12, " \
  "\"max_position_embeddings\": 12"

static const char model_config[] = "{\"model_type\": \"bert\", " MODEL_CONFIG "}";
static const char model_vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\nsat\non\nmat\n.\n##s\na\ndog\nran\nhome\n";

/** The model's own table, in Heed's names, for a vocabulary of so many rows. */
static inline heed_model *model_plan_of(int64_t rows, bool next_sentence) {
  heed_model *model;
  heed_model_config config = {.family = "bert",
                              .vocabulary_size = rows,
                              .layers = 2,
                              .hidden = 8,
                              .heads = 2,
                              .feed_forward = 12,
                              .max_positions = 12,
                              .token_types = 2,
                              .embedding_norm = true,
                              .biases = true,
                              .layer_norm_epsilon = 1e-12,
                              .initializer_range = 0.02};
  heed_model_sizes sizes = heed_model_sizes_least(next_sentence);
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&model, &config, &sizes, heed_kernels_choose(NULL)), HEED_OK);
  return model;
}

static inline heed_model *model_plan(bool next_sentence) {
  return model_plan_of(16, next_sentence);
}

/** What to do with each name: false leaves the tensor out. */
typedef bool (*model_rename)(char name[HEED_MAX_NAME + 1]);

/** Writes FOLDER/model.safetensors with numbers for every tensor of the table that `rename` lets through (NULL: all, as they are), and
 *  the two files beside it.  \param[out] values  the whole flat block, until test_release */
static inline void model_write(const heed_parameter_table *table, model_rename rename, float **values) {
  heed_parameter_table written = {0};
  float *block = test_floats(table->total);
  *values = test_random(table->total, 3, 0.9);
  for (int64_t i = 0; i < table->count; i++) {
    heed_parameter p = table->items[i];
    if (rename && !rename(p.name))
      continue;
    memcpy(block + written.total, *values + p.offset, (size_t)p.count * sizeof *block);
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&written, &p, NULL), HEED_OK);
  }
  unlink(folder_path("model.safetensors"));
  int parent = open(folder, O_RDONLY | O_DIRECTORY);
  CU_ASSERT_EQUAL_FATAL(heed_safetensors_write(parent, "model.safetensors", &written, block), HEED_OK);
  close(parent);
  folder_write_text("config.json", model_config);
  folder_write_text("vocab.txt", model_vocabulary);
  heed_parameters_free(&written);
}

/** Imports the folder as FOLDER/NAME. */
static inline heed_status model_import(const char *name, heed_import_report *report) {
  heed_import_spec spec = {.weights = folder, .output = folder_path(name)};
  return heed_import(&spec, report);
}

/** The checkpoint's weights, until test_release; they are in the order of the model's table. */
static inline float *model_weights(const char *checkpoint, const heed_parameter_table *table) {
  float *values = test_floats(table->total);
  heed_checkpoint_tensors tensors = {.table = table, .parameters = values};
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_load(checkpoint, &tensors, heed_alone()), HEED_OK);
  return values;
}

#endif
