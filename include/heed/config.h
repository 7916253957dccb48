/** The configuration of a run: YAML in, checked struct out.  The names of the keys are the names of the fields.
 *
 *  Defaults of the model section depend on its family, so that `family: gpt` alone is a GPT-2 and every key is an option of any family.
 *
 *  Required: run.name or run.output (one gives the other, runs/NAME); model.family, vocabulary_size, layers, hidden, heads;
 *  train.steps, sequence_length, batch_sequences; optimizer.learning_rate.  All else has a default (src/base/config_fields.c), or
 *  follows: feed_forward is 4 · hidden, slices the largest of 8, 4, 2, 1 that divides the batch.  Commands that read no data take a
 *  configuration without `data`; heed_config_check_training is for those that train. */
#ifndef HEED_CONFIG_H
#define HEED_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "heed/status.h"

/** Of the feed-forward layers: gelu | gelu_tanh (HF: gelu_new) | relu, and the gated ones, activation(x·Aᵀ)·(x·Bᵀ) (Shazeer 2020). */
typedef enum heed_activation { HEED_GELU, HEED_GELU_TANH, HEED_RELU, HEED_GEGLU, HEED_GEGLU_TANH, HEED_REGLU } heed_activation;

/** How a token's place is told: a trained table added to the words; fixed waves added (Vaswani et al. 2017, §3.5), of the place or, in
 *  two dimensions, of its column and row; queries and keys turned (Su et al. 2021); not at all. */
typedef enum heed_positions {
  HEED_POSITIONS_LEARNED,
  HEED_POSITIONS_SINUSOIDAL,
  HEED_POSITIONS_SINUSOIDAL_2D,
  HEED_POSITIONS_ROTARY,
  HEED_POSITIONS_NONE
} heed_positions;

/** Where a sublayer is normalised: its sum (Vaswani et al. 2017) or its input (Xiong et al. 2020), then with a norm behind the last. */
typedef enum heed_norm_place { HEED_NORM_POST, HEED_NORM_PRE } heed_norm_place;

/** What is predicted: tokens that were masked, or each token from those before it. */
typedef enum heed_predict { HEED_PREDICT_MASKED, HEED_PREDICT_NEXT_TOKEN } heed_predict;
typedef enum heed_masking { HEED_MASKING_FIXED, HEED_MASKING_INDEPENDENT } heed_masking;

/** Of training: bf16 multiplies rounded copies of weights and activations; weights, gradients, moments, norms and sums stay fp32. */
typedef enum heed_precision { HEED_FP32, HEED_BF16 } heed_precision;

/** What training keeps of forward until backward, which makes the rest again with the same bits: all; all but queries, keys, values and
 *  what attention makes of them; of each block its input alone. */
typedef enum heed_recompute { HEED_RECOMPUTE_NONE, HEED_RECOMPUTE_ATTENTION, HEED_RECOMPUTE_BLOCK } heed_recompute;

typedef enum heed_optimizer_name { HEED_ADAMW, HEED_LAMB } heed_optimizer_name;
typedef enum heed_decay { HEED_LINEAR, HEED_COSINE, HEED_CONSTANT, HEED_STABLE } heed_decay;

typedef struct heed_run_config {
  char *name;
  uint32_t seed;
  char *output; /**< the run folder */
} heed_run_config;

typedef struct heed_model_config {
  char *family; /**< a row of the families' table: bert | gpt */
  int64_t vocabulary_size, layers, hidden, heads, feed_forward, max_positions;
  int64_t token_types; /**< segments, 0 = none */
  bool causal;         /**< whether a token sees only those before it and itself */
  heed_positions positions;
  int64_t position_columns;                /**< sinusoidal_2d: place p is column p mod this, row p / this */
  double rotary_theta, rotary_theta_local; /**< rotary: the base of its frequencies in layers that see all, and in those with a window */
  int64_t window;                          /**< tokens to each side that a token sees; 0 = all */
  int64_t global_every;                    /**< with a window: layers 0, n, 2n … see all; 0 = none */
  heed_activation activation;
  heed_norm_place norm;
  bool embedding_norm; /**< whether the embeddings are normalised; with norm: pre the first sublayer then has no norm of its own */
  bool biases;         /**< of linear layers and norms; the decoder of masked tokens keeps its own */
  double dropout, attention_dropout, layer_norm_epsilon, initializer_range;
} heed_model_config;

typedef struct heed_data_config {
  char **train; /**< token shards: files or globs */
  unsigned train_count;
  char **validation;
  unsigned validation_count;
  char *vocabulary;
} heed_data_config;

typedef struct heed_objective_config {
  heed_predict predict;
  heed_masking masking;
  double mask_probability;
  int64_t max_predictions; /**< upper bound of masked tokens a sequence, 0 = none */
  bool whole_word, next_sentence;
  double short_sequence_probability;
} heed_objective_config;

typedef struct heed_train_config {
  int64_t steps, sequence_length, batch_sequences, slices;
  heed_precision precision;
  double time_limit;        /**< minutes, 0 = none */
  char *start_from;         /**< checkpoint whose weights to start from, NULL = initialise */
  int64_t slices_at_once;   /**< slices of a rank that go through the model together; 0 = as many as memory allows.  Bits unaffected */
  heed_recompute recompute; /**< likewise */
} heed_train_config;

typedef struct heed_parallel_config {
  int64_t tensor; /**< ranks among which every layer is divided; the others share the batch.  It changes no meaning, and last bits */
} heed_parallel_config;

typedef struct heed_optimizer_config {
  heed_optimizer_name name;
  double learning_rate, beta1, beta2, epsilon, weight_decay, clip_norm; /* clip_norm 0 = no clipping */
  bool bias_correction;
} heed_optimizer_config;

typedef struct heed_schedule_config {
  int64_t warmup_steps;
  heed_decay decay;
  int64_t decay_steps;   /**< stable: length of the final decay */
  double final_fraction; /**< learning rate at the end as a fraction of the highest */
} heed_schedule_config;

typedef struct heed_checkpoint_config {
  int64_t every_steps; /**< 0 = only at the end and when stopped */
  int64_t keep;
  bool background;      /**< whether training goes on while rank 0 writes a copy of the state */
  int64_t max_file_mib; /**< a state of more is divided into several files */
} heed_checkpoint_config;

typedef struct heed_evaluate_config {
  int64_t every_steps; /**< 0 = never */
  int64_t batches;     /**< 0 = all data */
} heed_evaluate_config;

typedef struct heed_guard_config {
  int64_t skips; /**< so many updates skipped in a row (loss or gradient not finite) roll back to the last checkpoint; 0 = never */
  double spike;  /**< a loss so many deviations above those before is reported; 0 = never */
  int64_t hash_every_steps; /**< so often the ranks compare their parameters, and each its shard with what it was; 0 = never */
} heed_guard_config;

typedef struct heed_log_config {
  int64_t every_steps;
} heed_log_config;

typedef struct heed_config {
  heed_run_config run;
  heed_model_config model;
  heed_data_config data;
  heed_objective_config objective;
  heed_train_config train;
  heed_parallel_config parallel;
  heed_optimizer_config optimizer;
  heed_schedule_config schedule;
  heed_checkpoint_config checkpoint;
  heed_evaluate_config evaluate;
  heed_guard_config guard;
  heed_log_config log;
} heed_config;

/** Reads and checks a configuration.  Rank-local.
 *  \param[in]  path  YAML file, also the name in messages
 *  \param[in]  settings  "KEY=VALUE" strings that replace values of the file, `setting_count` of them
 *  \param[out] config  to be freed with heed_config_free
 *  Errors: HEED_INVALID with file, line and the nearest valid key for an unknown key, a wrong type, an impossible value, values that
 *  do not fit each other (hidden not a multiple of heads, …), or a feature that is not built yet. */
heed_status heed_config_read(heed_config *config, const char *path, const char *const *settings, int setting_count);

/** The same from text in memory (a checkpoint's stored configuration). */
heed_status heed_config_parse(heed_config *config, const char *text, const char *name, const char *const *settings, int setting_count);

/** Checks what training needs and other commands do not: data.train and data.vocabulary.  `name`: of the file, for the message.
 *  Errors: HEED_INVALID naming the key. */
heed_status heed_config_check_training(const heed_config *config, const char *name);

/** The resolved configuration as YAML: every key, defaults included; reading it back gives an equal struct.
 *  \param[out] text  allocated; the caller frees it. */
heed_status heed_config_print(const heed_config *config, char **text);

/** Checks that a run saved with `saved` may go on with `now`: only train.steps, train.time_limit, train.slices_at_once, train.recompute,
 *  parallel, schedule, checkpoint, evaluate, guard, log, run.output and the places of data may differ, and what differs is printed.
 *  (Whether those places hold the same data is not for the configuration to tell.)
 *  Errors: HEED_INVALID naming the key and both values. */
heed_status heed_config_check_resume(const heed_config *saved, const heed_config *now);

/** Checks that weights of a model `saved` mean the same in the model `now`: every key of the model section but dropouts and
 *  initialisation.  Errors: HEED_INVALID naming all keys that differ, as the --set that would mend them. */
heed_status heed_config_check_model(const heed_config *saved, const heed_config *now);

void heed_config_free(heed_config *config);

/** As it stands in a configuration: fp32 or bf16. */
const char *heed_precision_name(heed_precision precision);

#endif
