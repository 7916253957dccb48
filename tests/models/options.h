/** Models with the options that families share, alone and together. */
#ifndef HEED_TESTS_MODELS_OPTIONS_H
#define HEED_TESTS_MODELS_OPTIONS_H

#include "models/model.h"
#include "models/model_batch.h"
#include "reference/numbers.h"

enum { LAYERS = 4, HEADS = 2, WIDTH = 16 };

typedef struct option {
  const char *name;
  heed_model_config config;
} option;

static char bert[] = "bert", gpt[] = "gpt";

#define SIZES                                                                                                                       \
  .vocabulary_size = VOCABULARY, .layers = LAYERS, .hidden = WIDTH, .heads = HEADS, .feed_forward = 32, .max_positions = POSITIONS, \
  .layer_norm_epsilon = 1e-5, .initializer_range = 0.02
#define BERT SIZES, .family = bert, .token_types = 2, .embedding_norm = true
#define GPT SIZES, .family = gpt, .causal = true
#define ROTARY .positions = HEED_POSITIONS_ROTARY, .rotary_theta = 60, .rotary_theta_local = 9

static const option options[] = {
    {"bert", {BERT, .biases = true}},
    {"bert, causal", {BERT, .biases = true, .causal = true}},
    {"bert, window", {BERT, .biases = true, .window = 3}},
    {"bert, causal window", {BERT, .biases = true, .window = 3, .causal = true}},
    {"bert, window with global layers", {BERT, .biases = true, .window = 2, .global_every = 3}},
    {"bert, window with global layers, turned", {BERT, ROTARY, .biases = true, .window = 2, .global_every = 3}},
    {"bert, turned", {BERT, ROTARY, .biases = true}},
    {"bert, waves", {BERT, .biases = true, .positions = HEED_POSITIONS_SINUSOIDAL}},
    {"bert, waves of a grid", {BERT, .biases = true, .positions = HEED_POSITIONS_SINUSOIDAL_2D, .position_columns = 5}},
    {"bert, no places", {BERT, .biases = true, .positions = HEED_POSITIONS_NONE}},
    {"bert, pre-norm", {BERT, .biases = true, .norm = HEED_NORM_PRE}},
    {"bert, pre-norm, embedding not normalised", {SIZES, .family = bert, .token_types = 2, .biases = true, .norm = HEED_NORM_PRE}},
    {"bert, embedding not normalised", {SIZES, .family = bert, .token_types = 2, .biases = true}},
    {"bert, no segments", {SIZES, .family = bert, .embedding_norm = true, .biases = true}},
    {"bert, no biases", {BERT, .biases = false}},
    {"bert, ReLU", {BERT, .biases = true, .activation = HEED_RELU}},
    {"bert, GeGLU", {BERT, .biases = true, .activation = HEED_GEGLU}},
    {"bert, ReGLU", {BERT, .biases = true, .activation = HEED_REGLU}},
    {"bert, as modern encoders are",
     {SIZES, ROTARY, .family = bert, .embedding_norm = true, .norm = HEED_NORM_PRE, .activation = HEED_GEGLU, .window = 2,
      .global_every = 3}},
    {"gpt", {GPT, .biases = true, .norm = HEED_NORM_PRE, .activation = HEED_GELU_TANH}},
    {"gpt, seeing all", {SIZES, .family = gpt, .biases = true, .norm = HEED_NORM_PRE}},
    {"gpt, turned in windows, no biases, GeGLU",
     {GPT, ROTARY, .norm = HEED_NORM_PRE, .activation = HEED_GEGLU_TANH, .window = 3, .global_every = 2}},
    {"gpt, embedding normalised, segments", {GPT, .biases = true, .norm = HEED_NORM_PRE, .embedding_norm = true, .token_types = 2}},
    {"gpt, post-norm, waves", {GPT, .biases = true, .embedding_norm = true, .positions = HEED_POSITIONS_SINUSOIDAL}},
    {"gpt, no places", {GPT, .biases = true, .norm = HEED_NORM_PRE, .positions = HEED_POSITIONS_NONE}},
};

enum { OPTIONS = sizeof options / sizeof *options };

static inline heed_model *option_model_of(const heed_model_config *config, const heed_model_sizes *sizes, const heed_kernels *kernels) {
  heed_model *model = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_model_create(&model, config, sizes, kernels), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_model_commit(model), HEED_OK);
  return model;
}
static inline heed_model *option_model(const heed_model_config *config, const heed_model_sizes *sizes) {
  return option_model_of(config, sizes, heed_kernels_choose(NULL));
}

/** Gains about one, all else about zero, large enough that attention prefers some keys. */
static inline float *option_weights(const heed_parameter_table *table) {
  float *weights = test_random(table->total, 1, 0.4);
  for (int64_t i = 0; i < table->count; i++)
    for (int64_t j = 0; table->items[i].initialisation == HEED_INIT_ONES && j < table->items[i].count; j++)
      weights[table->items[i].offset + j] += 1;
  return weights;
}

#endif
