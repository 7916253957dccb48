#include "convert/transformers_tokenizer.h"

#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "data/words.h"
#include "heed/log.h"

heed_status heed_transformers_read_casing(const char *path, heed_casing *casing) {
  json_t *json;
  *casing = HEED_CASING_UNSAID;
  if (access(path, F_OK) != 0)
    return HEED_OK;
  HEED_TRY(heed_json_take(path, "a tokenizer_config.json", &json));
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

heed_status heed_transformers_print_tokenizer_config(const heed_config *config, const heed_tokenizer *tokenizer, char **text) {
  if (heed_tokenizer_kind(tokenizer) == HEED_BPE) {
    const char *end = heed_tokenizer_token(tokenizer, heed_tokenizer_special(tokenizer)->separate);
    return heed_json_print(json_pack("{s:s, s:b, s:I, s:s, s:s, s:s}", "tokenizer_class", "GPT2Tokenizer", "add_prefix_space", false,
                                     "model_max_length", (json_int_t)config->model.max_positions, "unk_token", end, "bos_token", end,
                                     "eos_token", end),
                           text);
  }
  return heed_json_print(json_pack("{s:s, s:b, s:n, s:b, s:I, s:s, s:s, s:s, s:s, s:s}", "tokenizer_class", "BertTokenizer",
                                   "do_lower_case", !heed_tokenizer_is_cased(tokenizer), "strip_accents", "tokenize_chinese_chars", true,
                                   "model_max_length", (json_int_t)config->model.max_positions, "pad_token", "[PAD]", "unk_token", "[UNK]",
                                   "cls_token", "[CLS]", "sep_token", "[SEP]", "mask_token", "[MASK]"),
                         text);
}

/* Both take ownership of the value.  Where memory is short, and also where it was for the value, the object is gone, NULL. */
static void put(json_t **object, const char *key, json_t *value) {
  if (json_object_set_new(*object, key, value) == 0)
    return;
  json_decref(*object);
  *object = NULL;
}

static void append(json_t **list, json_t *value) {
  if (json_array_append_new(*list, value) == 0)
    return;
  json_decref(*list);
  *list = NULL;
}

/* The tokens that are kept whole in a text. */
static json_t *special_tokens(const heed_tokenizer *tokenizer) {
  json_t *list = json_array();
  for (int32_t id = 0; id < heed_tokenizer_size(tokenizer); id++)
    if (heed_tokenizer_is_special(tokenizer, id))
      append(&list, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", id, "content", heed_tokenizer_token(tokenizer, id),
                              "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0, "special", 1));
  return list;
}

/* What stands before a text A, behind it, and behind a text B that follows: tokens, −1 for none. */
static json_t *template(const heed_tokenizer *tokenizer, int32_t before, int32_t behind) {
  json_t *single = json_array(), *pair = json_array(), *tokens = json_object();
  const struct piece {
    const char *text; /* NULL: a token */
    int32_t token;
    int type;
    bool of_single;
  } pieces[] = {{NULL, before, 0, true}, {"A", -1, 0, true}, {NULL, behind, 0, true}, {"B", -1, 1, false}, {NULL, behind, 1, false}};
  for (const struct piece *p = pieces; p < pieces + sizeof pieces / sizeof *pieces; p++) {
    const char *name = p->text ? p->text : heed_tokenizer_token(tokenizer, p->token);
    if (!name)
      continue;
    json_t *piece = json_pack("{s:{s:s, s:i}}", p->text ? "Sequence" : "SpecialToken", "id", name, "type_id", p->type);
    if (p->of_single)
      append(&single, json_incref(piece));
    append(&pair, piece);
    if (!p->text)
      put(&tokens, name, json_pack("{s:s, s:[i], s:[s]}", "id", name, "ids", p->token, "tokens", name));
  }
  return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair, "special_tokens", tokens);
}

static void put_wordpiece(json_t **json, const heed_tokenizer *tokenizer) {
  const heed_special_tokens *special = heed_tokenizer_special(tokenizer);
  json_t *vocabulary = json_object();
  for (int32_t id = 0; id < heed_tokenizer_size(tokenizer); id++)
    put(&vocabulary, heed_tokenizer_token(tokenizer, id), json_integer(id));
  put(json, "normalizer",
      json_pack("{s:s, s:b, s:b, s:n, s:b}", "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars", 1, "strip_accents",
                "lowercase", !heed_tokenizer_is_cased(tokenizer)));
  put(json, "pre_tokenizer", json_pack("{s:s}", "type", "BertPreTokenizer"));
  put(json, "post_processor", template(tokenizer, special->classify, special->separate));
  put(json, "decoder", json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", 1));
  put(json, "model",
      json_pack("{s:s, s:s, s:s, s:i, s:o}", "type", "WordPiece", "unk_token", "[UNK]", "continuing_subword_prefix", "##",
                "max_input_chars_per_word", HEED_WORD_CHARACTERS, "vocab", vocabulary));
}

/* The lines of merges.txt behind the first, which tells its version.  Lists of two tokens are only read by tokenizers since 0.20. */
static json_t *merges_of(const char *text, size_t bytes) {
  json_t *list = json_array();
  for (const char *line = text, *end; line < text + bytes && (end = memchr(line, '\n', (size_t)(text + bytes - line))); line = end + 1)
    if (line != text)
      append(&list, json_stringn(line, (size_t)(end - line)));
  return list;
}

static void put_bpe(json_t **json, const heed_tokenizer *tokenizer) {
  static const char byte_level[] = "{s:s, s:b, s:b, s:b}";
  json_t *vocabulary = NULL, *merges = NULL;
  const char *name, *text;
  size_t bytes;
  for (int i = 0; heed_tokenizer_files(tokenizer, i, &name, &text, &bytes); i++)
    if (strcmp(name, "vocab.json") == 0)
      vocabulary = json_loadb(text, bytes, 0, NULL);
    else
      merges = merges_of(text, bytes);
  put(json, "normalizer", json_null());
  put(json, "pre_tokenizer", json_pack(byte_level, "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 1));
  put(json, "post_processor", template(tokenizer, -1, -1));
  put(json, "decoder", json_pack(byte_level, "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1));
  put(json, "model",
      json_pack("{s:s, s:n, s:n, s:s, s:s, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token", "continuing_subword_prefix",
                "", "end_of_word_suffix", "", "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", 0, "vocab", vocabulary, "merges",
                merges));
}

heed_status heed_transformers_print_tokenizer(const heed_tokenizer *tokenizer, char **text) {
  json_t *json = json_pack("{s:s, s:n, s:n, s:o}", "version", "1.0", "truncation", "padding", "added_tokens", special_tokens(tokenizer));
  if (heed_tokenizer_kind(tokenizer) == HEED_BPE)
    put_bpe(&json, tokenizer);
  else
    put_wordpiece(&json, tokenizer);
  return heed_json_print(json, text);
}
