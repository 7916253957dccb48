#include "convert/transformers.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config_fields.h"
#include "base/file.h"
#include "heed/log.h"

enum { MOST_BYTES = 1 << 20 };

/* What transformers calls a family of ours: the kind of model, and the class for each set of heads. */
static const struct {
  const char *family, *model_type, *architecture, *architecture_next_sentence;
} classes[] = {{"bert", "bert", "BertForMaskedLM", "BertForPreTraining"}};

/* Whole numbers and reals of config.json and their keys here.  One without `otherwise` must be there. */
static const struct {
  const char *theirs, *ours, *otherwise;
} numbers[] = {
    {"vocab_size", "vocabulary_size", NULL},
    {"num_hidden_layers", "layers", NULL},
    {"hidden_size", "hidden", NULL},
    {"num_attention_heads", "heads", NULL},
    {"intermediate_size", "feed_forward", NULL},
    {"max_position_embeddings", "max_positions", "512"},
    {"type_vocab_size", "token_types", "2"},
    {"hidden_dropout_prob", "dropout", "0.1"},
    {"attention_probs_dropout_prob", "attention_dropout", "0.1"},
    {"layer_norm_eps", "layer_norm_epsilon", "1e-12"},
    {"initializer_range", "initializer_range", "0.02"},
};

/* Names of activations.  The first that leads to one of ours is the name it is exported under. */
static const struct {
  const char *theirs, *ours;
  heed_activation activation;
} activations[] = {
    {"gelu", "gelu", HEED_GELU}, {"gelu_new", "gelu_tanh", HEED_GELU_TANH}, {"gelu_pytorch_tanh", "gelu_tanh", HEED_GELU_TANH}};

enum {
  CLASSES = sizeof classes / sizeof *classes,
  NUMBERS = sizeof numbers / sizeof *numbers,
  ACTIVATIONS = sizeof activations / sizeof *activations
};

static heed_status read_json(const char *path, const char *what, json_t **json) {
  char *text;
  size_t bytes;
  json_error_t error;
  HEED_TRY(heed_file_take(path, what, MOST_BYTES, &text, &bytes));
  *json = json_loadb(text, bytes, 0, &error);
  free(text);
  if (json_is_object(*json))
    return HEED_OK;
  heed_status status = *json ? heed_error(HEED_INVALID, "%s: is not %s: a JSON object is expected", path, what)
                             : heed_error(HEED_INVALID, "%s:%d: is not %s: %s", path, error.line, what, error.text);
  json_decref(*json);
  *json = NULL;
  return status;
}

/* Keys that change what is computed, with the only value that Heed computes. */
static heed_status check_fixed(const json_t *json) {
  const char *positions = json_string_value(json_object_get(json, "position_embedding_type"));
  if (positions && strcmp(positions, "absolute") != 0)
    return heed_error(HEED_INVALID, "position_embedding_type '%.40s' is not built yet; absolute is", positions);
  if (json_is_true(json_object_get(json, "is_decoder")) || json_is_true(json_object_get(json, "add_cross_attention")))
    return heed_error(HEED_INVALID, "a decoder or cross-attention (is_decoder, add_cross_attention) is not built yet");
  return HEED_OK;
}

static heed_status print_number(FILE *out, const json_t *json, int i) {
  const json_t *value = json_object_get(json, numbers[i].theirs);
  if (json_is_integer(value))
    fprintf(out, ", %s: %lld", numbers[i].ours, (long long)json_integer_value(value));
  else if (json_is_real(value))
    fprintf(out, ", %s: %.17g", numbers[i].ours, json_real_value(value));
  else if ((!value || json_is_null(value)) && numbers[i].otherwise)
    fprintf(out, ", %s: %s", numbers[i].ours, numbers[i].otherwise);
  else
    return heed_error(HEED_INVALID, value ? "%s is not a number" : "%s is missing", numbers[i].theirs);
  return HEED_OK;
}

static heed_status print_activation(FILE *out, const json_t *json) {
  const json_t *value = json_object_get(json, "hidden_act");
  const char *name = value ? json_string_value(value) : "gelu";
  for (int i = 0; name && i < ACTIVATIONS; i++)
    if (strcmp(activations[i].theirs, name) == 0) {
      fprintf(out, ", activation: %s", activations[i].ours);
      return HEED_OK;
    }
  return heed_error(HEED_INVALID, "hidden_act '%.40s' is not built yet; gelu, gelu_new and gelu_pytorch_tanh are", name ? name : "?");
}

/* The model section, from the keys of config.json. */
static heed_status print_model(FILE *out, const json_t *json) {
  const char *type = json_string_value(json_object_get(json, "model_type"));
  int class = 0;
  while (class < CLASSES && strcmp(classes[class].model_type, type ? type : "") != 0)
    class ++;
  if (class == CLASSES)
    return heed_error(HEED_INVALID, "model_type '%.40s' is not built yet; there is: bert", type ? type : "(missing)");
  HEED_TRY(check_fixed(json));
  fprintf(out, "model: {family: %s", classes[class].family);
  for (int i = 0; i < NUMBERS; i++)
    HEED_TRY(print_number(out, json, i));
  HEED_TRY(print_activation(out, json));
  fputs("}\n", out);
  return HEED_OK;
}

/* The whole: what a configuration must have beside the model, as long as evaluation and inference need it. */
static heed_status print_yaml(const json_t *json, const char *name, bool next_sentence, char **text) {
  size_t bytes;
  *text = NULL;
  FILE *out = open_memstream(text, &bytes);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for a configuration");
  heed_status status = print_model(out, json);
  json_int_t positions = json_integer_value(json_object_get(json, "max_position_embeddings"));
  char *quoted = heed_config_quote(&(char *){(char *)name}, 1, false);
  fprintf(out, "run: {name: %s}\nobjective: {next_sentence: %s}\noptimizer: {learning_rate: 1.0e-4}\n", quoted ? quoted : "imported",
          next_sentence ? "true" : "false");
  fprintf(out, "train: {steps: 1, sequence_length: %lld, batch_sequences: 32}\n",
          positions > 0 && positions < 128 ? (long long)positions : 128LL);
  free(quoted);
  if (fclose(out) != 0 && status == HEED_OK)
    status = heed_error(HEED_FAILED, "out of memory for a configuration");
  return status;
}

heed_status heed_transformers_read_config(heed_config *config, const char *path, const char *name, bool next_sentence,
                                          const char *const *settings, int setting_count) {
  json_t *json;
  char *text = NULL;
  *config = (heed_config){0};
  HEED_TRY(read_json(path, "a model's config.json", &json));
  heed_status status = print_yaml(json, name, next_sentence, &text);
  json_decref(json);
  if (status != HEED_OK)
    status = heed_error_in(status, "%s", path);
  else
    status = heed_config_parse(config, text, path, settings, setting_count);
  free(text);
  return status;
}

/* Takes ownership of the object. */
static heed_status print_json(json_t *object, char **text) {
  char *dumped = object ? json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
  json_decref(object);
  if (!dumped || asprintf(text, "%s\n", dumped) < 0)
    *text = NULL;
  free(dumped);
  return *text ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a JSON file");
}

heed_status heed_transformers_print_config(const heed_config *config, char **text) {
  const heed_model_config *m = &config->model;
  int class = 0, activation = 0; /* found: the configuration was checked */
  for (int i = 0; i < CLASSES; i++)
    if (strcmp(classes[i].family, m->family) == 0)
      class = i;
  for (int i = ACTIVATIONS - 1; i >= 0; i--) /* the first of a name wins */
    if (activations[i].activation == m->activation)
      activation = i;
  return print_json(json_pack("{s:[s], s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:f, s:f, s:f, s:f, s:b}", "architectures",
                              config->objective.next_sentence ? classes[class].architecture_next_sentence : classes[class].architecture,
                              "model_type", classes[class].model_type, "vocab_size", (json_int_t)m->vocabulary_size, "num_hidden_layers",
                              (json_int_t)m->layers, "hidden_size", (json_int_t)m->hidden, "num_attention_heads", (json_int_t)m->heads,
                              "intermediate_size", (json_int_t)m->feed_forward, "max_position_embeddings", (json_int_t)m->max_positions,
                              "type_vocab_size", (json_int_t)m->token_types, "hidden_act", activations[activation].theirs,
                              "hidden_dropout_prob", m->dropout, "attention_probs_dropout_prob", m->attention_dropout, "layer_norm_eps",
                              m->layer_norm_epsilon, "initializer_range", m->initializer_range, "tie_word_embeddings", true),
                    text);
}

heed_status heed_transformers_read_casing(const char *path, heed_casing *casing) {
  json_t *json;
  *casing = HEED_CASING_UNSAID;
  if (access(path, F_OK) != 0)
    return HEED_OK;
  HEED_TRY(read_json(path, "a tokenizer_config.json", &json));
  const json_t *lower = json_object_get(json, "do_lower_case"), *accents = json_object_get(json, "strip_accents");
  if (json_is_boolean(lower))
    *casing = json_is_true(lower) ? HEED_UNCASED : HEED_CASED;
  if (json_is_boolean(accents) && json_is_true(accents) != (*casing != HEED_CASED))
    heed_warn("%s: strip_accents parts from do_lower_case there; Heed's tokenizer strips accents if and only if it is uncased", path);
  if (json_is_false(json_object_get(json, "tokenize_chinese_chars")))
    heed_warn("%s: tokenize_chinese_chars is false there; Heed's tokenizer always takes ideographs one by one", path);
  json_decref(json);
  return HEED_OK;
}

heed_status heed_transformers_print_tokenizer(const heed_config *config, const heed_tokenizer *tokenizer, char **text) {
  if (heed_tokenizer_kind(tokenizer) == HEED_BPE) {
    const char *end = heed_tokenizer_token(tokenizer, heed_tokenizer_special(tokenizer)->separate);
    return print_json(json_pack("{s:s, s:b, s:I, s:s, s:s, s:s}", "tokenizer_class", "GPT2Tokenizer", "add_prefix_space", false,
                                "model_max_length", (json_int_t)config->model.max_positions, "unk_token", end, "bos_token", end,
                                "eos_token", end),
                      text);
  }
  return print_json(json_pack("{s:s, s:b, s:n, s:b, s:I, s:s, s:s, s:s, s:s, s:s}", "tokenizer_class", "BertTokenizer", "do_lower_case",
                              !heed_tokenizer_is_cased(tokenizer), "strip_accents", "tokenize_chinese_chars", true, "model_max_length",
                              (json_int_t)config->model.max_positions, "pad_token", "[PAD]", "unk_token", "[UNK]", "cls_token", "[CLS]",
                              "sep_token", "[SEP]", "mask_token", "[MASK]"),
                    text);
}
