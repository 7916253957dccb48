#include "convert/classes.h"

#include <stddef.h>
#include <string.h>

/* ---- BERT ---- */

static const char *const bert_body[] = {"embeddings.", "encoder.", NULL};
static const char *const bert_ignored[] = {"embeddings.position_ids", "embeddings.token_type_ids", NULL}; /* 0, 1, 2 …; zeros */
static const heed_class_key bert_keys[] = {{"vocab_size", "vocabulary_size", NULL},
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
                                           {0}};
static const heed_class_fixed bert_fixed[] = {
    {"position_embedding_type", "\"absolute\""}, {"is_decoder", "false"}, {"add_cross_attention", "false"}, {0}};
static const heed_class_activation bert_activations[] = {
    {"gelu", "gelu"}, {"gelu_new", "gelu_tanh"}, {"gelu_pytorch_tanh", "gelu_tanh"}, {"relu", "relu"}, {0}};
static const heed_class_rename no_renames[] = {{0}};
static const heed_class_tie bert_ties[] = {{"cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"},
                                           {"cls.predictions.decoder.bias", "cls.predictions.bias"},
                                           {0}};

static const heed_class_special bert_special[] = {{"pad_token_id", offsetof(heed_special_tokens, pad)}, {0}};

/* ---- GPT-2 ---- */

static const char *const gpt2_body[] = {"wte.", "wpe.", "h.", "ln_f.", NULL};
static const char *const gpt2_ignored[] = {".attn.bias", ".attn.masked_bias", NULL}; /* the causal mask */
static const heed_class_key gpt2_keys[] = {{"vocab_size", "vocabulary_size", NULL},
                                           {"n_layer", "layers", NULL},
                                           {"n_embd", "hidden", NULL},
                                           {"n_head", "heads", NULL},
                                           {"n_inner", "feed_forward", ""},
                                           {"n_positions", "max_positions", "1024"},
                                           {"resid_pdrop", "dropout", "0.1"},
                                           {"embd_pdrop", "dropout", "0.1"},
                                           {"attn_pdrop", "attention_dropout", "0.1"},
                                           {"layer_norm_epsilon", "layer_norm_epsilon", "1e-5"},
                                           {"initializer_range", "initializer_range", "0.02"},
                                           {0}};
static const heed_class_fixed gpt2_fixed[] = {
    {"add_cross_attention", "false"}, {"scale_attn_weights", "true"}, {"scale_attn_by_inverse_layer_idx", "false"}, {0}};
static const heed_class_activation gpt2_activations[] = {
    {"gelu_new", "gelu_tanh"}, {"gelu_pytorch_tanh", "gelu_tanh"}, {"gelu", "gelu"}, {"relu", "relu"}, {0}};
static const heed_class_rename gpt2_renames[] = {{NULL, "transformer.h.%d.attn.c_attn.weight", 1, true},
                                                 {NULL, "transformer.h.%d.attn.c_proj.weight", 1, true},
                                                 {NULL, "transformer.h.%d.mlp.c_fc.weight", 1, true},
                                                 {NULL, "transformer.h.%d.mlp.c_proj.weight", 1, true},
                                                 {0}};
static const heed_class_tie gpt2_ties[] = {{"lm_head.weight", "transformer.wte.weight"}, {0}};

static const heed_class_special gpt2_special[] = {
    {"bos_token_id", offsetof(heed_special_tokens, separate)}, {"eos_token_id", offsetof(heed_special_tokens, separate)}, {0}};

/* ---- ModernBERT ---- */

static const char *const modernbert_body[] = {"embeddings.", "layers.", "final_norm.", NULL};
static const char *const none_ignored[] = {NULL};
static const heed_class_key modernbert_keys[] = {{"vocab_size", "vocabulary_size", NULL},
                                                 {"num_hidden_layers", "layers", NULL},
                                                 {"hidden_size", "hidden", NULL},
                                                 {"num_attention_heads", "heads", NULL},
                                                 {"intermediate_size", "feed_forward", NULL},
                                                 {"max_position_embeddings", "max_positions", "8192"},
                                                 {"embedding_dropout", "dropout", "0"},
                                                 {"attention_dropout", "attention_dropout", "0"},
                                                 {"norm_eps", "layer_norm_epsilon", "1e-5"},
                                                 {"initializer_range", "initializer_range", "0.02"},
                                                 {0}};
static const heed_class_fixed modernbert_fixed[] = {{"attention_bias", "false"},
                                                    {"mlp_bias", "false"},
                                                    {"norm_bias", "false"},
                                                    {"classifier_bias", "false"},
                                                    {"decoder_bias", "true"},
                                                    {"classifier_activation", "\"gelu\""},
                                                    {"rope_parameters.full_attention.rope_type", "\"default\""},
                                                    {"rope_parameters.sliding_attention.rope_type", "\"default\""},
                                                    {0}};
static const heed_class_activation modernbert_activations[] = {{"gelu", "geglu"}, {0}};
static const heed_class_rename modernbert_renames[] = {
    {"model.embeddings.tok_embeddings.weight", "bert.embeddings.word_embeddings.weight", 1, false},
    {"model.embeddings.norm.weight", "bert.embeddings.LayerNorm.weight", 1, false},
    {"model.layers.%d.attn.Wqkv.weight", "bert.encoder.layer.%d.attention.self.query.weight", 3, false},
    {"model.layers.%d.attn.Wo.weight", "bert.encoder.layer.%d.attention.output.dense.weight", 1, false},
    {"model.layers.%d.attn_norm.weight", "bert.encoder.layer.%d.attention.output.LayerNorm.weight", 1, false},
    {"model.layers.%d.mlp.Wi.weight", "bert.encoder.layer.%d.intermediate.dense.weight", 1, false},
    {"model.layers.%d.mlp.Wo.weight", "bert.encoder.layer.%d.output.dense.weight", 1, false},
    {"model.layers.%d.mlp_norm.weight", "bert.encoder.layer.%d.output.LayerNorm.weight", 1, false},
    {"model.final_norm.weight", "bert.encoder.LayerNorm.weight", 1, false},
    {"head.dense.weight", "cls.predictions.transform.dense.weight", 1, false},
    {"head.norm.weight", "cls.predictions.transform.LayerNorm.weight", 1, false},
    {"decoder.bias", "cls.predictions.bias", 1, false},
    {0}};
static const heed_class_tie modernbert_ties[] = {{"decoder.weight", "model.embeddings.tok_embeddings.weight"}, {0}};

static const heed_class_special modernbert_special[] = {
    {"pad_token_id", offsetof(heed_special_tokens, pad)},      {"bos_token_id", offsetof(heed_special_tokens, classify)},
    {"eos_token_id", offsetof(heed_special_tokens, separate)}, {"cls_token_id", offsetof(heed_special_tokens, classify)},
    {"sep_token_id", offsetof(heed_special_tokens, separate)}, {0}};

/* A number at a dotted path, or `otherwise`. */
static double number_at(const json_t *json, const char *group, const char *key, double otherwise) {
  const json_t *value = json_object_get(json_object_get(json_object_get(json, "rope_parameters"), group), key);
  return json_is_number(value) ? json_number_value(value) : otherwise;
}

static double plain_number(const json_t *json, const char *key, double otherwise) {
  const json_t *value = json_object_get(json, key);
  return json_is_number(value) ? json_number_value(value) : otherwise;
}

/* Which layers see all: a number (older files), or a list with a word for each layer, which must follow a number all the same. */
static heed_status read_global_every(const json_t *json, int64_t *every) {
  const json_t *list = json_object_get(json, "layer_types"), *number = json_object_get(json, "global_attn_every_n_layers");
  *every = json_is_integer(number) ? (int64_t)json_integer_value(number) : 3;
  if (!json_is_array(list) && *every < 1)
    return heed_error(HEED_INVALID, "global_attn_every_n_layers: %lld is impossible; it must be from 1 on", (long long)*every);
  if (!json_is_array(list))
    return HEED_OK;
  int64_t layers = (int64_t)json_array_size(list);
  if ((double)layers != plain_number(json, "num_hidden_layers", 0))
    return heed_error(HEED_INVALID, "layer_types has %lld words; num_hidden_layers says how many there must be", (long long)layers);
  for (*every = 1; *every < layers; ++*every) {
    const char *type = json_string_value(json_array_get(list, (size_t)*every));
    if (type && strcmp(type, "full_attention") == 0)
      break;
  }
  for (int64_t i = 0; i < layers; i++) {
    const char *type = json_string_value(json_array_get(list, (size_t)i));
    if (!type || strcmp(type, i % *every == 0 ? "full_attention" : "sliding_attention") != 0)
      return heed_error(HEED_INVALID, "layer_types is not built yet but as full_attention in every n-th layer from the first on, "
                                      "sliding_attention in the others");
  }
  return HEED_OK;
}

/* local_attention counts both sides; no window at all is 0 and every layer global.  Newer files keep the bases of the rotary frequencies in
 * rope_parameters. */
static heed_status read_modernbert(FILE *out, const json_t *json) {
  int64_t every;
  HEED_TRY(read_global_every(json, &every));
  double both = plain_number(json, "local_attention", 128);
  if (!(both >= 0 && both <= INT32_MAX) || (both < 2 && every > 1))
    return heed_error(HEED_INVALID, "local_attention: %g is impossible", both);
  int64_t window = (int64_t)both / 2;
  double theta = number_at(json, "full_attention", "rope_theta", plain_number(json, "global_rope_theta", 160000));
  double local = number_at(json, "sliding_attention", "rope_theta", plain_number(json, "local_rope_theta", 10000));
  fprintf(out, ", window: %lld, global_every: %lld, rotary_theta: %.17g, rotary_theta_local: %.17g", (long long)window,
          (long long)(window > 0 ? every : 0), theta, local);
  return HEED_OK;
}

/* Under the keys that older and newer versions read.  They divide a layer's number by global_attn_every_n_layers: without a window it is 1.
 * A window in every layer is none of theirs; its 0 is refused when it is read back. */
static void write_modernbert(json_t *json, const heed_model_config *model) {
  json_object_set_new(json, "local_attention", json_integer(2 * model->window));
  json_object_set_new(json, "global_attn_every_n_layers", json_integer(model->window > 0 ? model->global_every : 1));
  json_object_set_new(json, "global_rope_theta", json_real(model->rotary_theta));
  json_object_set_new(json, "local_rope_theta", json_real(model->rotary_theta_local));
}

static const heed_class classes[] = {
    {.model_type = "bert",
     .architecture = "BertForMaskedLM",
     .architecture_next_sentence = "BertForPreTraining",
     .family = "bert",
     .settings = "",
     .prefix = "bert.",
     .body = bert_body,
     .ignored = bert_ignored,
     .activation_key = "hidden_act",
     .keys = bert_keys,
     .fixed = bert_fixed,
     .activations = bert_activations,
     .renames = no_renames,
     .ties = bert_ties,
     .special = bert_special},
    {.model_type = "gpt2",
     .architecture = "GPT2LMHeadModel",
     .family = "gpt",
     .settings = "",
     .prefix = "transformer.",
     .body = gpt2_body,
     .ignored = gpt2_ignored,
     .activation_key = "activation_function",
     .keys = gpt2_keys,
     .fixed = gpt2_fixed,
     .activations = gpt2_activations,
     .renames = gpt2_renames,
     .ties = gpt2_ties,
     .special = gpt2_special},
    {.model_type = "modernbert",
     .architecture = "ModernBertForMaskedLM",
     .family = "bert",
     .settings = ", token_types: 0, positions: rotary, norm: pre, biases: false",
     .prefix = "model.",
     .body = modernbert_body,
     .ignored = none_ignored,
     .activation_key = "hidden_activation",
     .keys = modernbert_keys,
     .fixed = modernbert_fixed,
     .activations = modernbert_activations,
     .renames = modernbert_renames,
     .ties = modernbert_ties,
     .special = modernbert_special,
     .read_more = read_modernbert,
     .write_more = write_modernbert},
};

enum { CLASSES = sizeof classes / sizeof *classes };

heed_status heed_class_find(const heed_class **class, const char *model_type) {
  char list[128] = "";
  for (int i = 0; i < CLASSES; i++) {
    if (strcmp(classes[i].model_type, model_type) == 0) {
      *class = &classes[i];
      return HEED_OK;
    }
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", classes[i].model_type);
  }
  return heed_error(HEED_INVALID, "model_type '%.40s' is not built yet; there are: %s", *model_type ? model_type : "(missing)", list);
}

const heed_class *heed_class_at(int number) {
  return number < CLASSES ? &classes[number] : NULL;
}

bool heed_class_owns(const heed_class *class, const char *name) {
  size_t prefix = strlen(class->prefix);
  const char *rest = strncmp(name, class->prefix, prefix) == 0 ? name + prefix : name;
  for (const char *const *start = class->body; *start; start++)
    if (strncmp(rest, *start, strlen(*start)) == 0)
      return true;
  return false;
}
