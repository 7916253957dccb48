#include "base/config_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spelling.h"

static const cyaml_strval_t truths[] = {{"true", true}, {"false", false}, {"yes", true}, {"no", false}, {"on", true}, {"off", false}};
static const cyaml_strval_t activations[] = {{"gelu", HEED_GELU},   {"gelu_tanh", HEED_GELU_TANH},   {"relu", HEED_RELU},
                                             {"geglu", HEED_GEGLU}, {"geglu_tanh", HEED_GEGLU_TANH}, {"reglu", HEED_REGLU}};
static const cyaml_strval_t positions[] = {{"learned", HEED_POSITIONS_LEARNED},
                                           {"sinusoidal", HEED_POSITIONS_SINUSOIDAL},
                                           {"sinusoidal_2d", HEED_POSITIONS_SINUSOIDAL_2D},
                                           {"rotary", HEED_POSITIONS_ROTARY},
                                           {"none", HEED_POSITIONS_NONE}};
static const cyaml_strval_t norms[] = {{"post", HEED_NORM_POST}, {"pre", HEED_NORM_PRE}};
static const cyaml_strval_t predictions[] = {{"masked", HEED_PREDICT_MASKED}, {"next_token", HEED_PREDICT_NEXT_TOKEN}};
static const cyaml_strval_t maskings[] = {{"fixed", HEED_MASKING_FIXED}, {"independent", HEED_MASKING_INDEPENDENT}};
static const cyaml_strval_t precisions[] = {{"fp32", HEED_FP32}, {"bf16", HEED_BF16}};
static const cyaml_strval_t recomputations[] = {
    {"none", HEED_RECOMPUTE_NONE}, {"attention", HEED_RECOMPUTE_ATTENTION}, {"block", HEED_RECOMPUTE_BLOCK}};
static const cyaml_strval_t optimizers[] = {{"adamw", HEED_ADAMW}, {"lamb", HEED_LAMB}};
static const cyaml_strval_t decays[] = {
    {"linear", HEED_LINEAR}, {"cosine", HEED_COSINE}, {"constant", HEED_CONSTANT}, {"stable", HEED_STABLE}};

static const cyaml_schema_value_t list_entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, HEED_CONFIG_MAX_TEXT)};

/* A row begins with one of these: the path names key and struct member alike. */
#define WHOLE(path, lowest, highest) \
  .schema = CYAML_FIELD_INT(#path, CYAML_FLAG_OPTIONAL, heed_config, path), .low = lowest, .high = highest
#define REAL(path, lowest, highest) \
  .schema = CYAML_FIELD_FLOAT(#path, CYAML_FLAG_OPTIONAL, heed_config, path), .low = lowest, .high = highest
#define WORD(path, table) \
  .schema = CYAML_FIELD_ENUM(#path, CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT, heed_config, path, table, CYAML_ARRAY_LEN(table))
#define TEXT(path) .schema = CYAML_FIELD_STRING_PTR(#path, CYAML_FLAG_OPTIONAL, heed_config, path, 1, HEED_CONFIG_MAX_TEXT)
#define LIST(path) \
  .schema = CYAML_FIELD_SEQUENCE(#path, CYAML_FLAG_OPTIONAL | CYAML_FLAG_POINTER, heed_config, path, &list_entry, 1, HEED_CONFIG_MAX_LIST)

/* Upper ends keep products of sizes within 64 bits; the data position is a 32-bit counter of the random numbers. */
const heed_config_field heed_config_fields[] = {
    {TEXT(run.name)},
    {.schema = CYAML_FIELD_UINT("run.seed", CYAML_FLAG_OPTIONAL, heed_config, run.seed), .high = 4294967295, .fallback = "1234"},
    {TEXT(run.output), .may_change = true},

    {TEXT(model.family), .required = true, .possible = "bert, gpt", .not_built = "vit, seq2seq, diffusion"},
    {WHOLE(model.vocabulary_size, 5, 16777216), .required = true},
    {WHOLE(model.layers, 1, 1024), .required = true},
    {WHOLE(model.hidden, 1, 1048576), .required = true},
    {WHOLE(model.heads, 1, 65536), .required = true},
    {WHOLE(model.feed_forward, 1, 4194304)},
    {WHOLE(model.max_positions, 1, 1048576), .fallback = "512"},
    {WHOLE(model.token_types, 0, 65536), .fallback = "2"},
    {WORD(model.causal, truths), .fallback = "false"},
    {WORD(model.positions, positions), .fallback = "learned"},
    {WHOLE(model.position_columns, 0, 1048576), .fallback = "0"},
    {REAL(model.rotary_theta, 0, 1e12), .low_open = true, .fallback = "10000"},
    {REAL(model.rotary_theta_local, 0, 1e12), .low_open = true, .fallback = "10000"},
    {WHOLE(model.window, 0, 1048576), .fallback = "0"},
    {WHOLE(model.global_every, 0, 1024), .fallback = "0"},
    {WORD(model.activation, activations), .fallback = "gelu"},
    {WORD(model.norm, norms), .fallback = "post"},
    {WORD(model.embedding_norm, truths), .fallback = "true"},
    {WORD(model.biases, truths), .fallback = "true"},
    {REAL(model.dropout, 0, 1), .high_open = true, .fallback = "0.1", .any_weights = true},
    {REAL(model.attention_dropout, 0, 1), .high_open = true, .fallback = "0.1", .any_weights = true},
    {REAL(model.layer_norm_epsilon, 0, 1), .low_open = true, .fallback = "1e-12"},
    {REAL(model.initializer_range, 0, 10), .low_open = true, .fallback = "0.02", .any_weights = true},

    {LIST(data.train), .may_change = true}, /* where it lies: a checkpoint knows what it holds */
    {LIST(data.validation), .may_change = true},
    {TEXT(data.vocabulary), .may_change = true},

    {WORD(objective.predict, predictions), .fallback = "masked"},
    {WORD(objective.masking, maskings), .fallback = "fixed"},
    {REAL(objective.mask_probability, 0, 1), .low_open = true, .high_open = true, .fallback = "0.15"},
    {WHOLE(objective.max_predictions, 0, 1048576), .fallback = "0"},
    {WORD(objective.whole_word, truths), .fallback = "false"},
    {WORD(objective.next_sentence, truths), .fallback = "false"},
    {REAL(objective.short_sequence_probability, 0, 1), .high_open = true, .fallback = "0.1"},

    {WHOLE(train.steps, 1, 4294967295), .required = true, .may_change = true},
    {WHOLE(train.sequence_length, 3, 1048576), .required = true},
    {WHOLE(train.batch_sequences, 1, 16777216), .required = true},
    {WHOLE(train.slices, 1, 65536)},
    {WORD(train.precision, precisions), .fallback = "fp32"},
    {REAL(train.time_limit, 0, 1e7), .fallback = "0", .may_change = true},
    {TEXT(train.start_from)},
    {WHOLE(train.slices_at_once, 0, 65536), .fallback = "0", .may_change = true},
    {WORD(train.recompute, recomputations), .fallback = "none", .may_change = true},

    {WHOLE(parallel.tensor, 1, 65536), .fallback = "1", .may_change = true},

    {WORD(optimizer.name, optimizers), .fallback = "adamw"},
    {REAL(optimizer.learning_rate, 0, 100), .low_open = true, .required = true},
    {REAL(optimizer.beta1, 0, 1), .high_open = true, .fallback = "0.9"},
    {REAL(optimizer.beta2, 0, 1), .high_open = true, .fallback = "0.999"},
    {REAL(optimizer.epsilon, 0, 1), .low_open = true, .fallback = "1e-6"},
    {REAL(optimizer.weight_decay, 0, 100), .fallback = "0.01"},
    {REAL(optimizer.clip_norm, 0, 1e9), .fallback = "1.0"},
    {WORD(optimizer.bias_correction, truths), .fallback = "true"},

    {WHOLE(schedule.warmup_steps, 0, 4294967295), .fallback = "0", .may_change = true},
    {WORD(schedule.decay, decays), .fallback = "linear", .may_change = true},
    {WHOLE(schedule.decay_steps, 0, 4294967295), .fallback = "0", .may_change = true},
    {REAL(schedule.final_fraction, 0, 1), .fallback = "0", .may_change = true},

    {WHOLE(checkpoint.every_steps, 0, 4294967295), .fallback = "500", .may_change = true},
    {WHOLE(checkpoint.keep, 1, 1000000), .fallback = "3", .may_change = true},
    {WORD(checkpoint.background, truths), .fallback = "true", .may_change = true},
    {WHOLE(checkpoint.max_file_mib, 1, 4294967295), .fallback = "32768", .may_change = true},

    {WHOLE(evaluate.every_steps, 0, 4294967295), .fallback = "250", .may_change = true},
    {WHOLE(evaluate.batches, 0, 4294967295), .fallback = "20", .may_change = true},

    {WHOLE(guard.skips, 0, 4294967295), .fallback = "5", .may_change = true},
    {REAL(guard.spike, 0, 1e6), .fallback = "8", .may_change = true},
    {WHOLE(guard.hash_every_steps, 0, 4294967295), .fallback = "100", .may_change = true},

    {WHOLE(log.every_steps, 1, 4294967295), .fallback = "10", .may_change = true},
};
const int heed_config_field_count = CYAML_ARRAY_LEN(heed_config_fields);
_Static_assert(CYAML_ARRAY_LEN(heed_config_fields) <= HEED_CONFIG_MAX_FIELDS, "raise HEED_CONFIG_MAX_FIELDS");

/* Where a family's default is another than its field's. */
static const struct {
  const char *family, *key, *fallback;
} family_fallbacks[] = {
    {"gpt", "model.max_positions", "1024"},
    {"gpt", "model.token_types", "0"},
    {"gpt", "model.causal", "true"},
    {"gpt", "model.activation", "gelu_tanh"},
    {"gpt", "model.norm", "pre"},
    {"gpt", "model.embedding_norm", "false"},
    {"gpt", "model.layer_norm_epsilon", "1e-5"},
    {"gpt", "objective.predict", "next_token"},
};

const char *heed_precision_name(heed_precision precision) {
  for (size_t i = 0; i < CYAML_ARRAY_LEN(precisions); i++)
    if (precisions[i].val == precision)
      return precisions[i].str;
  return "";
}

const char *heed_config_fallback(const heed_config_field *field, const char *family) {
  for (size_t i = 0; i < CYAML_ARRAY_LEN(family_fallbacks); i++)
    if (strcmp(family_fallbacks[i].family, family) == 0 && strcmp(family_fallbacks[i].key, field->schema.key) == 0)
      return family_fallbacks[i].fallback;
  return field->fallback;
}

/* Sections of families that design and users know of, but that nothing reads yet. */
static const char *const planned[] = {"model.encoder", "model.decoder", "model.image", "model.caption", "model.latent"};

int heed_config_find(const char *path) {
  for (int i = 0; i < heed_config_field_count; i++)
    if (strcmp(heed_config_fields[i].schema.key, path) == 0)
      return i;
  return -1;
}

static size_t section_length(const char *path) {
  const char *dot = strchr(path, '.');
  return dot ? (size_t)(dot - path) : strlen(path);
}

bool heed_config_is_section(const char *name, size_t length) {
  for (int i = 0; i < heed_config_field_count; i++) {
    const char *key = heed_config_fields[i].schema.key;
    if (section_length(key) == length && memcmp(key, name, length) == 0)
      return true;
  }
  return false;
}

/* Where the key would be right but stands in a wrong section, that is the nearest; else the smallest distance of the whole path. */
static const heed_config_field *nearest_field(const char *path, int *apart) {
  const char *key = strchr(path, '.');
  const heed_config_field *nearest = NULL;
  for (int i = 0; i < heed_config_field_count; i++) {
    const char *candidate = heed_config_fields[i].schema.key;
    int d = heed_spelling_distance(path, candidate), here = key ? 1 + heed_spelling_distance(key, strchr(candidate, '.')) : d;
    int least = d < here ? d : here;
    if (!nearest || least < *apart) {
      nearest = &heed_config_fields[i];
      *apart = least;
    }
  }
  return nearest;
}

static heed_status unknown_section(const char *name) {
  char list[256] = "";
  size_t used = 0;
  const char *nearest = NULL;
  int least = strlen(name) < 5 ? 2 : 3;
  for (int i = 0; i < heed_config_field_count; i++) {
    const char *key = heed_config_fields[i].schema.key;
    size_t length = section_length(key);
    char section[32];
    if (i > 0 && strncmp(key, heed_config_fields[i - 1].schema.key, length + 1) == 0)
      continue;
    snprintf(section, sizeof section, "%.*s", (int)length, key);
    used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", section);
    int d = heed_spelling_distance(name, section);
    if (d < least) {
      least = d;
      nearest = key;
    }
  }
  if (nearest)
    return heed_error(HEED_INVALID, "unknown section '%s'; did you mean '%.*s'?", name, (int)section_length(nearest), nearest);
  for (int i = 0, most = (int)strlen(name) / 3; i < heed_config_field_count; i++) { /* a key at the top level, without its section */
    const char *key = heed_config_fields[i].schema.key;
    int apart = heed_spelling_distance(name, strchr(key, '.') + 1);
    if (apart <= most) {
      nearest = key;
      most = apart - 1;
    }
  }
  if (nearest)
    return heed_error(HEED_INVALID, "unknown section '%s'; did you mean '%s'?", name, nearest);
  return heed_error(HEED_INVALID, "unknown section '%.80s'; sections are: %s", name, list);
}

heed_status heed_config_unknown_key(const char *path) {
  size_t length = section_length(path);
  if (!heed_config_is_section(path, length)) {
    char section[96];
    snprintf(section, sizeof section, "%.*s", (int)length, path);
    return unknown_section(section);
  }
  for (size_t i = 0; i < CYAML_ARRAY_LEN(planned); i++)
    if (strncmp(path, planned[i], strlen(planned[i])) == 0)
      return heed_error(HEED_INVALID, "%s is not built yet", planned[i]);
  int apart = 0;
  const char *nearest = nearest_field(path, &apart)->schema.key;
  int limit = (int)(strlen(path) - length) / 3;
  if (apart <= (limit > 2 ? limit : 2))
    return heed_error(HEED_INVALID, "unknown key '%s'; did you mean '%s'?", path, nearest);
  char list[512] = "";
  size_t used = 0;
  for (int i = 0; i < heed_config_field_count; i++) {
    const char *key = heed_config_fields[i].schema.key;
    if (strncmp(key, path, length + 1) == 0)
      used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", key + length + 1);
  }
  return heed_error(HEED_INVALID, "unknown key '%.120s'; keys of '%.*s' are: %s", path, (int)length, path, list);
}
