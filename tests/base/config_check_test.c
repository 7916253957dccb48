/* Options of the model and what is predicted: defaults that depend on the family, what does not go together, and what an older Heed wrote.
 */
#include "base/config_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heed/config.h"
#include "heed/log.h"
#include "test.h"

#define SIZES "vocabulary_size: 100, layers: 2, hidden: 8, heads: 2"
#define BEGIN "run: {name: small}\ntrain: {steps: 10, sequence_length: 16, batch_sequences: 4}\noptimizer: {learning_rate: 1e-3}\n"
#define BERT BEGIN "model: {family: bert, " SIZES "}\n"
#define GPT BEGIN "model: {family: gpt, " SIZES "}\n"

static void read_config(heed_config *c, const char *text, const char *const *settings, int count) {
  heed_status status = heed_config_parse(c, text, "f.yaml", settings, count);
  if (status != HEED_OK)
    printf("\n    %s\n", heed_error_text());
  CU_ASSERT_EQUAL_FATAL(status, HEED_OK);
}

static void bert_alone_is_a_bert(void) {
  heed_config c;
  read_config(&c, BERT, NULL, 0);
  const heed_model_config *m = &c.model;
  CU_ASSERT(!m->causal && m->positions == HEED_POSITIONS_LEARNED && m->window == 0 && m->global_every == 0);
  CU_ASSERT(m->norm == HEED_NORM_POST && m->embedding_norm && m->biases && m->activation == HEED_GELU);
  CU_ASSERT(m->max_positions == 512 && m->token_types == 2 && m->layer_norm_epsilon == 1e-12);
  CU_ASSERT_EQUAL(c.objective.predict, HEED_PREDICT_MASKED);
  heed_config_free(&c);
}

static void gpt_alone_is_a_gpt2(void) {
  heed_config c;
  read_config(&c, GPT, NULL, 0);
  const heed_model_config *m = &c.model;
  CU_ASSERT(m->causal && m->positions == HEED_POSITIONS_LEARNED && m->window == 0 && m->global_every == 0);
  CU_ASSERT(m->norm == HEED_NORM_PRE && !m->embedding_norm && m->biases && m->activation == HEED_GELU_TANH);
  CU_ASSERT(m->max_positions == 1024 && m->token_types == 0 && m->layer_norm_epsilon == 1e-5 && m->feed_forward == 32);
  CU_ASSERT(m->dropout == 0.1 && m->attention_dropout == 0.1 && m->initializer_range == 0.02);
  CU_ASSERT_EQUAL(c.objective.predict, HEED_PREDICT_NEXT_TOKEN);
  heed_config_free(&c);
}

/* The family may come after the keys whose defaults depend on it, or on the command line. */
static void defaults_follow_the_family_wherever_it_stands(void) {
  static const char *const to_gpt[] = {"model.family=gpt"}, *const more[] = {"model.norm=post", "model.family=gpt", "model.causal=false",
                                                                             "objective.predict=masked"};
  heed_config c;
  read_config(&c, "objective: {whole_word: false}\nmodel: {" SIZES ", family: gpt}\n" BEGIN, NULL, 0);
  CU_ASSERT(c.model.causal && c.objective.predict == HEED_PREDICT_NEXT_TOKEN);
  heed_config_free(&c);
  read_config(&c, BERT, to_gpt, 1);
  CU_ASSERT(c.model.causal && c.model.norm == HEED_NORM_PRE && c.objective.predict == HEED_PREDICT_NEXT_TOKEN);
  heed_config_free(&c);
  read_config(&c, BERT, more, 4); /* what is given stays */
  CU_ASSERT(!c.model.causal && c.model.norm == HEED_NORM_POST && c.objective.predict == HEED_PREDICT_MASKED);
  CU_ASSERT(!c.model.embedding_norm && c.model.activation == HEED_GELU_TANH);
  heed_config_free(&c);
}

static void every_option_is_one_of_any_family(void) {
  static const char *const settings[] = {"model.causal=true",
                                         "model.positions=rotary",
                                         "model.rotary_theta=160000",
                                         "model.rotary_theta_local=1e4",
                                         "model.window=64",
                                         "model.global_every=3",
                                         "model.norm=pre",
                                         "model.embedding_norm=true",
                                         "model.biases=false",
                                         "model.activation=geglu",
                                         "model.token_types=0",
                                         "objective.predict=next_token",
                                         "model.layer_norm_epsilon=1e-5"};
  static const char *const texts[] = {BERT, GPT};
  for (int k = 0; k < 2; k++) {
    heed_config c;
    read_config(&c, texts[k], settings, sizeof settings / sizeof *settings);
    const heed_model_config *m = &c.model;
    CU_ASSERT(m->causal && m->positions == HEED_POSITIONS_ROTARY && m->rotary_theta == 160000 && m->rotary_theta_local == 10000);
    CU_ASSERT(m->window == 64 && m->global_every == 3 && m->norm == HEED_NORM_PRE && m->embedding_norm && !m->biases);
    CU_ASSERT(m->activation == HEED_GEGLU && m->token_types == 0 && c.objective.predict == HEED_PREDICT_NEXT_TOKEN);
    heed_config_free(&c);
  }
}

static void words_are_what_they_say(void) {
  static const char *const positions[] = {"learned", "sinusoidal", "sinusoidal_2d", "rotary", "none"};
  static const char *const activations[] = {"gelu", "gelu_tanh", "relu", "geglu", "geglu_tanh", "reglu"};
  for (int i = 0; i < 6; i++) {
    char position[64], activation[64];
    const char *settings[] = {activation, position, "model.position_columns=4"};
    heed_config c;
    snprintf(activation, sizeof activation, "model.activation=%s", activations[i]);
    snprintf(position, sizeof position, "model.positions=%s", positions[i % 5]);
    read_config(&c, BERT, settings, i % 5 == HEED_POSITIONS_SINUSOIDAL_2D ? 3 : 2);
    CU_ASSERT_EQUAL(c.model.activation, (heed_activation)i);
    CU_ASSERT_EQUAL(c.model.positions, (heed_positions)(i % 5));
    heed_config_free(&c);
  }
}

/* The line is that of the key people changed last. */
static const struct {
  const char *text, *settings[2], *message;
} refused[] = {
    {BEGIN "model: {family: bert, vocabulary_size: 100, layers: 2, hidden: 9, heads: 3,\n positions: sinusoidal}\n",
     {NULL},
     "f.yaml:5: model.positions: sinusoidal needs model.hidden a multiple of 2, found 9"},
    {BEGIN "model: {family: bert, vocabulary_size: 100, layers: 2, hidden: 6, heads: 3,\n positions: sinusoidal_2d, position_columns: 4}\n",
     {NULL},
     "f.yaml:5: model.positions: sinusoidal_2d needs model.hidden a multiple of 4, found 6"},
    {BEGIN "model: {family: bert, vocabulary_size: 100, layers: 2, hidden: 9, heads: 3,\n positions: rotary}\n",
     {NULL},
     "f.yaml:5: model.positions: rotary needs an even number of channels a head; 9 / 3 heads is 3"},
    {BERT, {"model.positions=sinusoidal_2d"}, "model.positions: sinusoidal_2d needs model.position_columns"},
    {BERT, {"model.position_columns=4"}, "--set model.position_columns=4: model.position_columns is for model.positions: sinusoidal_2d"},
    {BERT, {"model.global_every=3"}, "--set model.global_every=3: model.global_every says which layers see beyond model.window"},
    {BERT, {"objective.predict=next_token"}, "--set objective.predict=next_token: objective.predict: next_token needs model.causal: true"},
    {GPT, {"model.causal=false"}, "--set model.causal=false: objective.predict: next_token needs model.causal: true"},
    {GPT, {"objective.next_sentence=true"}, "objective.next_sentence goes with objective.predict: masked only"},
    {BERT, {"objective.next_sentence=true", "model.token_types=1"}, "objective.next_sentence needs model.token_types 2 or more, found 1"},
    {BERT, {"train.sequence_length=70000", "model.max_positions=70000"}, "model.attention_dropout draws for up to 65536 tokens"},
    {BERT, {"model.token_types=-1"}, "model.token_types: -1 is impossible; it must be from 0 to 65536"},
    {BERT, {"model.window=-1"}, "model.window: -1 is impossible"},
    {BERT, {"model.rotary_theta=0"}, "model.rotary_theta: 0 is impossible; it must be above 0"},
    {BERT, {"model.positions=alibi"}, "model.positions: 'alibi' is not one of: learned, sinusoidal, sinusoidal_2d, rotary, none"},
    {BERT, {"model.norm=sandwich"}, "model.norm: 'sandwich' is not one of: post, pre"},
    {BERT, {"model.activation=swiglu"}, "model.activation: 'swiglu' is not one of: gelu, gelu_tanh, relu, geglu, geglu_tanh, reglu"},
    {BERT, {"objective.predict=all"}, "objective.predict: 'all' is not one of: masked, next_token"},
    {BERT, {"model.causal=maybe"}, "model.causal: 'maybe' is not one of: true, false"},
    {BERT, {"model.postions=none"}, "unknown key 'model.postions'; did you mean 'model.positions'?"},
};

static void refuses_what_does_not_go_together(void) {
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    heed_config c;
    int count = (refused[i].settings[0] != NULL) + (refused[i].settings[1] != NULL);
    heed_status status = heed_config_parse(&c, refused[i].text, "f.yaml", refused[i].settings, count);
    bool good = status == HEED_INVALID && strstr(heed_error_text(), refused[i].message);
    CU_ASSERT(good);
    if (!good)
      printf("\n    row %d, status %d: %s\n    expected: %s\n", (int)i, status, status ? heed_error_text() : "", refused[i].message);
    heed_config_free(&c);
  }
}

/* Weights of a model with other options are weights of another model. */
static void resumes_and_takes_weights_of_the_same_model_only(void) {
  static const char *const other[] = {"model.causal=false",  "model.positions=none",      "model.rotary_theta=9", "model.window=4",
                                      "model.norm=post",     "model.embedding_norm=true", "model.biases=false",   "model.activation=geglu",
                                      "model.token_types=2", "model.rotary_theta_local=9"};
  heed_config saved, now;
  const char *settings[] = {"objective.predict=masked", NULL};
  read_config(&saved, GPT, settings, 1);
  heed_log_set_quiet(true);
  for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)strcspn(other[i], "="), other[i]);
    settings[1] = other[i];
    read_config(&now, GPT, settings, 2);
    CU_ASSERT_EQUAL(heed_config_check_resume(&saved, &now), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), key));
    CU_ASSERT_EQUAL(heed_config_check_model(&saved, &now), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), key));
    heed_config_free(&now);
  }
  settings[0] = "objective.predict=next_token"; /* another task with the same weights, but no other run */
  read_config(&now, GPT, settings, 1);
  CU_ASSERT_EQUAL(heed_config_check_resume(&saved, &now), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "objective.predict was masked when the run was saved and is next_token now"));
  CU_ASSERT_EQUAL(heed_config_check_model(&saved, &now), HEED_OK);
  heed_log_set_quiet(false);
  heed_config_free(&now);
  heed_config_free(&saved);
}

static void prints_what_it_reads(void) {
  static const char *const settings[] = {"model.causal=false",
                                         "objective.predict=masked",
                                         "model.positions=sinusoidal_2d",
                                         "model.position_columns=7",
                                         "model.window=5",
                                         "model.global_every=2",
                                         "model.norm=post",
                                         "model.biases=off",
                                         "model.activation=reglu",
                                         "model.rotary_theta=12345.5",
                                         "model.embedding_norm=yes",
                                         "model.token_types=3"};
  heed_config first, second;
  char *printed, *again;
  read_config(&first, GPT, settings, sizeof settings / sizeof *settings);
  CU_ASSERT_EQUAL_FATAL(heed_config_print(&first, &printed), HEED_OK);
  read_config(&second, printed, NULL, 0);
  CU_ASSERT_EQUAL_FATAL(heed_config_print(&second, &again), HEED_OK);
  CU_ASSERT_STRING_EQUAL(printed, again);
  CU_ASSERT_EQUAL(heed_config_check_resume(&first, &second), HEED_OK);
  CU_ASSERT(!second.model.causal && !second.model.biases && second.model.embedding_norm && second.model.position_columns == 7);
  CU_ASSERT(second.model.rotary_theta == 12345.5 && second.model.activation == HEED_REGLU && second.model.norm == HEED_NORM_POST);
  free(printed);
  free(again);
  heed_config_free(&first);
  heed_config_free(&second);
}

/* As the first Heed printed it into its checkpoints, before there were options. */
static const char *const older =
    "run:\n  name: \"small\"\n  seed: 1234\n  output: \"runs/small\"\n"
    "model:\n  family: \"bert\"\n  vocabulary_size: 100\n  layers: 2\n  hidden: 8\n  heads: 2\n  feed_forward: 32\n  max_positions: 512\n"
    "  token_types: 2\n  activation: gelu\n  dropout: 0.1\n  attention_dropout: 0.1\n  layer_norm_epsilon: 1.0e-12\n"
    "  initializer_range: 0.02\n"
    "objective:\n  masking: fixed\n  mask_probability: 0.15\n  max_predictions: 0\n  whole_word: false\n  next_sentence: false\n"
    "  short_sequence_probability: 0.1\n"
    "train:\n  steps: 10\n  sequence_length: 16\n  batch_sequences: 4\n  slices: 4\n  precision: fp32\n  time_limit: 0.0\n"
    "  slices_at_once: 0\n"
    "optimizer:\n  name: adamw\n  learning_rate: 0.001\n  beta1: 0.9\n  beta2: 0.999\n  epsilon: 1.0e-06\n  weight_decay: 0.01\n"
    "  clip_norm: 1.0\n  bias_correction: true\n"
    "schedule:\n  warmup_steps: 0\n  decay: linear\n  decay_steps: 0\n  final_fraction: 0.0\n"
    "checkpoint:\n  every_steps: 500\n  keep: 3\n"
    "evaluate:\n  every_steps: 250\n  batches: 20\n"
    "log:\n  every_steps: 10\n";

static void what_an_older_heed_saved_goes_on(void) {
  heed_config saved, now;
  char *printed, *fresh;
  read_config(&saved, older, NULL, 0);
  read_config(&now, BERT, NULL, 0);
  CU_ASSERT_EQUAL(heed_config_check_resume(&saved, &now), HEED_OK);
  CU_ASSERT_EQUAL(heed_config_check_model(&saved, &now), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_config_print(&saved, &printed), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_config_print(&now, &fresh), HEED_OK);
  CU_ASSERT_STRING_EQUAL(printed, fresh);
  free(printed);
  free(fresh);
  heed_config_free(&saved);
  heed_config_free(&now);
}

HEED_TESTS({"bert alone is a BERT", bert_alone_is_a_bert}, {"gpt alone is a GPT-2", gpt_alone_is_a_gpt2},
           {"defaults follow the family wherever it stands", defaults_follow_the_family_wherever_it_stands},
           {"every option is one of any family", every_option_is_one_of_any_family}, {"words are what they say", words_are_what_they_say},
           {"refuses what does not go together", refuses_what_does_not_go_together},
           {"resumes and takes weights of the same model only", resumes_and_takes_weights_of_the_same_model_only},
           {"prints what it reads", prints_what_it_reads}, {"what an older Heed saved goes on", what_an_older_heed_saved_goes_on})
