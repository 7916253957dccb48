#include "convert/transformers.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_fields.h"
#include "base/json.h"

/* The value at a path of keys with dots between them; NULL where there is none, or null. */
static const json_t *value_at(const json_t *json, const char *path) {
  char key[64];
  for (const char *at = path; json && *at;) {
    size_t length = strcspn(at, ".");
    snprintf(key, sizeof key, "%.*s", (int)length, at);
    json = json_object_get(json, key);
    at += length + (at[length] == '.');
  }
  return json_is_null(json) ? NULL : json;
}

static heed_status check_fixed(const json_t *json, const heed_class *class) {
  for (const heed_class_fixed *f = class->fixed; f->theirs; f++) {
    const json_t *value = value_at(json, f->theirs);
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    bool differs = text && strcmp(text, f->value) != 0;
    if (differs)
      heed_error(HEED_INVALID, "%s: %.40s is not built yet; %s is", f->theirs, text, f->value);
    free(text);
    if (differs)
      return HEED_INVALID;
  }
  return HEED_OK;
}

/* Whether an earlier row of the class gives the same key of ours: then this one must only agree. */
static bool is_given_before(const heed_class *class, const heed_class_key *key) {
  for (const heed_class_key *k = class->keys; k != key; k++)
    if (strcmp(k->ours, key->ours) == 0)
      return true;
  return false;
}

static heed_status print_key(FILE *out, const json_t *json, const heed_class *class, const heed_class_key *key) {
  const json_t *value = value_at(json, key->theirs);
  if (value && !json_is_number(value))
    return heed_error(HEED_INVALID, "%s is not a number", key->theirs);
  if (!value && !key->otherwise)
    return heed_error(HEED_INVALID, "%s is missing", key->theirs);
  if (is_given_before(class, key) || (!value && !*key->otherwise))
    return HEED_OK;
  if (json_is_integer(value))
    fprintf(out, ", %s: %lld", key->ours, (long long)json_integer_value(value));
  else if (value)
    fprintf(out, ", %s: %.17g", key->ours, json_real_value(value));
  else
    fprintf(out, ", %s: %s", key->ours, key->otherwise);
  return HEED_OK;
}

static heed_status print_activation(FILE *out, const json_t *json, const heed_class *class) {
  const json_t *value = value_at(json, class->activation_key);
  const char *name = value ? json_string_value(value) : class->activations[0].theirs;
  char list[128] = "";
  for (const heed_class_activation *a = class->activations; a->theirs; a++) {
    if (name && strcmp(a->theirs, name) == 0) {
      fprintf(out, ", activation: %s", a->ours);
      return HEED_OK;
    }
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", a->theirs);
  }
  return heed_error(HEED_INVALID, "%s '%.40s' is not built yet; there are: %s", class->activation_key, name ? name : "?", list);
}

/* The model section, from the keys of config.json. */
static heed_status print_model(FILE *out, const json_t *json, const heed_class **class) {
  const char *type = json_string_value(json_object_get(json, "model_type"));
  HEED_TRY(heed_class_find(class, type ? type : ""));
  HEED_TRY(check_fixed(json, *class));
  fprintf(out, "model: {family: %s%s", (*class)->family, (*class)->settings);
  for (const heed_class_key *key = (*class)->keys; key->theirs; key++)
    HEED_TRY(print_key(out, json, *class, key));
  HEED_TRY(print_activation(out, json, *class));
  if ((*class)->read_more)
    HEED_TRY((*class)->read_more(out, json));
  fputs("}\n", out);
  return HEED_OK;
}

/* The whole: what a configuration must have beside the model, as long as evaluation and inference need it. */
static heed_status print_yaml(const json_t *json, const char *name, bool next_sentence, char **text, const heed_class **class) {
  size_t bytes;
  *text = NULL;
  FILE *out = open_memstream(text, &bytes);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for a configuration");
  heed_status status = print_model(out, json, class);
  char *quoted = heed_config_quote(&(char *){(char *)name}, 1, false);
  fprintf(out, "run: {name: %s}\n%soptimizer: {learning_rate: 1.0e-4}\n", quoted ? quoted : "imported",
          next_sentence ? "objective: {next_sentence: true}\n" : "");
  fprintf(out, "train: {steps: 1, sequence_length: %d, batch_sequences: 32}\n", next_sentence ? 5 : 3); /* the least: choose_length */
  free(quoted);
  if (fclose(out) != 0 && status == HEED_OK)
    status = heed_error(HEED_FAILED, "out of memory for a configuration");
  return status;
}

/* Reads a config.json that is in memory. */
static heed_status parse_config(heed_config *config, const heed_class **class, const json_t *json, const char *path, const char *name,
                                bool next_sentence, const char *const *settings, int setting_count) {
  char *text = NULL;
  heed_status status = print_yaml(json, name, next_sentence, &text, class);
  if (status != HEED_OK)
    status = heed_error_in(status, "%s", path);
  else
    status = heed_config_parse(config, text, path, settings, setting_count);
  free(text);
  return status;
}

/* Evaluation and inference take rows of up to 128 tokens, where the model has places for them, unless settings say another length. */
static void choose_length(heed_config *config, const char *const *settings, int setting_count) {
  static const char key[] = "train.sequence_length=";
  for (int i = 0; i < setting_count; i++)
    if (strncmp(settings[i], key, strlen(key)) == 0)
      return;
  config->train.sequence_length = config->model.max_positions < 128 ? config->model.max_positions : 128;
}

heed_status heed_transformers_read_config(heed_config *config, const heed_class **class, const char *path, const char *name,
                                          bool next_sentence, const char *const *settings, int setting_count) {
  json_t *json;
  *config = (heed_config){0};
  HEED_TRY(heed_json_take(path, "a model's config.json", &json));
  heed_status status = parse_config(config, class, json, path, name, next_sentence, settings, setting_count);
  json_decref(json);
  if (status == HEED_OK)
    choose_length(config, settings, setting_count);
  return status;
}

/* A value of the model section as JSON. */
static json_t *value_of(const heed_config *config, const char *key) {
  char path[64], *text;
  snprintf(path, sizeof path, "model.%s", key);
  if (heed_config_value_text(config, &heed_config_fields[heed_config_find(path)], &text) != HEED_OK)
    return NULL;
  json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
  free(text);
  return value;
}

static json_t *config_object(const heed_config *config, const heed_class *class) {
  char *activation = NULL;
  const char *architecture =
      config->objective.next_sentence && class->architecture_next_sentence ? class->architecture_next_sentence : class->architecture;
  json_t *json =
      json_pack("{s:[s], s:s, s:b}", "architectures", architecture, "model_type", class->model_type, "tie_word_embeddings", true);
  for (const heed_class_key *key = class->keys; json && key->theirs; key++)
    json_object_set_new(json, key->theirs, value_of(config, key->ours));
  for (const heed_class_fixed *f = class->fixed; json && f->theirs; f++)
    if (!strchr(f->theirs, '.'))
      json_object_set_new(json, f->theirs, json_loads(f->value, JSON_DECODE_ANY, NULL));
  if (heed_config_value_text(config, &heed_config_fields[heed_config_find("model.activation")], &activation) != HEED_OK)
    return json;
  for (const heed_class_activation *a = class->activations; json && a->theirs; a++)
    if (strcmp(a->ours, activation) == 0 && !json_object_get(json, class->activation_key))
      json_object_set_new(json, class->activation_key, json_string(a->theirs));
  if (json && class->write_more)
    class->write_more(json, &config->model);
  free(activation);
  return json;
}

/* A class fits when what is written for it reads back as the same model. */
static heed_status check_class(const heed_config *config, const heed_class *class) {
  const heed_class *again;
  heed_config read = {0};
  json_t *json = config_object(config, class);
  if (!json)
    return heed_error(HEED_FAILED, "out of memory for a config.json");
  heed_status status = heed_error(HEED_INVALID, "it has no such activation");
  if (json_object_get(json, class->activation_key))
    status = parse_config(&read, &again, json, class->model_type, "x", config->objective.next_sentence, NULL, 0);
  if (status == HEED_OK)
    status = heed_config_check_model(&read, config);
  if (status == HEED_OK && read.objective.predict != config->objective.predict)
    status = heed_error(HEED_INVALID, "its objective is another");
  json_decref(json);
  heed_config_free(&read);
  return status;
}

heed_status heed_transformers_class_of(const heed_class **class, const heed_config *config) {
  char list[128] = "";
  for (int i = 0; (*class = heed_class_at(i)); i++) {
    if (strcmp((*class)->family, config->model.family) == 0 && check_class(config, *class) == HEED_OK)
      return HEED_OK;
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", (*class)->architecture);
  }
  return heed_error(HEED_INVALID,
                    "transformers has no class for this combination of options (known here: %s); the checkpoint's state.h5 "
                    "holds the weights by name, for h5py",
                    list);
}

heed_status heed_transformers_print_config(const heed_config *config, const heed_class *class, const heed_special_tokens *special,
                                           char **text) {
  json_t *json = config_object(config, class);
  for (const heed_class_special *s = class->special; json && s->theirs; s++) {
    int32_t id = *(const int32_t *)((const char *)special + s->ours);
    json_object_set_new(json, s->theirs, id < 0 ? json_null() : json_integer(id));
  }
  return heed_json_print(json, text);
}
