/* A BPE vocabulary from vocab.json and merges.txt.  Both may come from a stranger: whatever is not as it must be is refused. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "data/bpe.h"
#include "data/bpe_text.h"
#include "data/byte_alphabet.h"
#include "data/pretokens.h"

enum { LONGEST_WHOLE = 128, SHORTEST_MERGE = 4 }; /* bytes; of longer tokens pre-tokens are seldom; "a b\n" */

/* The content of a file and what it is called. */
typedef struct part {
  const char *text;
  size_t bytes;
  const char *name;
} part;

static heed_status short_of_memory(const char *name) {
  return heed_error(HEED_FAILED, "%s: out of memory for the vocabulary", name);
}

/* The tokens in the order of their ids, borrowed from the object.  \param[out] tokens  allocated */
static heed_status order_tokens(const json_t *object, const char *name, const char ***tokens, int64_t *size) {
  const char *key;
  json_t *value;
  int64_t count = (int64_t)json_object_size(object);
  if (!(*tokens = calloc((size_t)count + 1, sizeof **tokens)))
    return short_of_memory(name);
  json_object_foreach((json_t *)(uintptr_t)object, key, value) {
    json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || id >= count)
      return heed_error(HEED_INVALID, "%s: the id of '%.100s' is none of 0 … %lld, as those of %lld tokens must be", name, key,
                        (long long)count - 1, (long long)count);
    if ((*tokens)[id])
      return heed_error(HEED_INVALID, "%s: '%.100s' and '%.100s' have the same id, %lld", name, (*tokens)[id], key, (long long)id);
    (*tokens)[id] = key;
  }
  *size = count;
  return HEED_OK;
}

/* Names, and the bytes that they stand for. */
static heed_status add_tokens(heed_bpe *bpe, const char *const *tokens, int64_t size, const char *name) {
  heed_tokenizer *base = &bpe->base;
  size_t all = 0, at = 0, raw = 0;
  for (int64_t id = 0; id < size; id++)
    all += strlen(tokens[id]) + 1;
  base->names = malloc(all + 1);
  base->name_at = malloc((size_t)(size + 1) * sizeof *base->name_at);
  bpe->raw = malloc(all + 1);
  bpe->raw_at = malloc((size_t)(size + 1) * sizeof *bpe->raw_at);
  if (!base->names || !base->name_at || !bpe->raw || !bpe->raw_at)
    return short_of_memory(name);
  base->size = size;
  for (int64_t id = 0; id < size; id++) {
    size_t length = strlen(tokens[id]);
    memcpy(base->names + at, tokens[id], length + 1);
    base->name_at[id] = at;
    at += length + 1;
    bpe->raw_at[id] = raw;
    raw += heed_characters_to_bytes(bpe->raw + raw, tokens[id], length);
    if (heed_string_map_add(&bpe->names, tokens[id], (int32_t)length) < 0)
      return short_of_memory(name);
  }
  bpe->raw_at[size] = raw;
  return HEED_OK;
}

/* The tokens that no vocabulary may lack. */
static heed_status find_needed(heed_bpe *bpe, const char *name) {
  for (int byte = 0; byte < 256; byte++) {
    char text[5] = {0};
    int length = heed_utf8_write(text, heed_byte_character((unsigned char)byte));
    if ((bpe->byte_ids[byte] = (int32_t)heed_string_map_find(&bpe->names, text, length)) < 0)
      return heed_error(HEED_INVALID, "%s: no token '%s' for the byte %d: not a byte-level BPE vocabulary, which has all 256", name, text,
                        byte);
  }
  int32_t end = (int32_t)heed_string_map_find(&bpe->names, HEED_END_OF_TEXT, sizeof HEED_END_OF_TEXT - 1);
  if (end < 0)
    return heed_error(HEED_INVALID, "%s: the vocabulary has no %s, which ends a document", name, HEED_END_OF_TEXT);
  bpe->base.special = (heed_special_tokens){.pad = -1, .unknown = -1, .classify = -1, .separate = end, .mask = -1};
  return HEED_OK;
}

static heed_status read_tokens(heed_bpe *bpe, const part *json) {
  json_error_t error;
  const char **tokens = NULL;
  int64_t size = 0;
  if (heed_json_values(json->text, json->bytes) > HEED_JSON_MOST_VALUES)
    return heed_error(HEED_INVALID, "%s: more than %d values, too many for a vocabulary", json->name, HEED_JSON_MOST_VALUES);
  json_t *object = json_loadb(json->text, json->bytes, JSON_REJECT_DUPLICATES, &error);
  heed_status status = HEED_OK;
  if (!json_is_object(object))
    status = object ? heed_error(HEED_INVALID, "%s: no JSON object; {\"token\": id, …} is expected", json->name)
                    : heed_error(HEED_INVALID, "%s:%d: not JSON: %s", json->name, error.line, error.text);
  if (status == HEED_OK)
    status = order_tokens(object, json->name, &tokens, &size);
  if (status == HEED_OK)
    status = add_tokens(bpe, tokens, size, json->name);
  if (status == HEED_OK)
    status = find_needed(bpe, json->name);
  free(tokens);
  json_decref(object);
  return status;
}

/* A line's merge.  \param[out] pair  what it joins; \param[out] joined  the token that it gives */
static heed_status read_merge(const heed_bpe *bpe, const char *line, size_t bytes, heed_bpe_pair *pair, int32_t *joined) {
  const char *space = memchr(line, ' ', bytes);
  size_t left = space ? (size_t)(space - line) : 0, right = space ? bytes - left - 1 : 0;
  if (left == 0 || right == 0 || memchr(space + 1, ' ', right))
    return heed_error(HEED_INVALID, "two tokens with a space between are expected");
  pair->left = (int32_t)heed_string_map_find(&bpe->names, line, (int32_t)left);
  pair->right = (int32_t)heed_string_map_find(&bpe->names, space + 1, (int32_t)right);
  char *both = malloc(left + right);
  if (!both)
    return heed_error(HEED_FAILED, "out of memory for the vocabulary");
  memcpy(both, line, left);
  memcpy(both + left, space + 1, right);
  *joined = (int32_t)heed_string_map_find(&bpe->names, both, (int32_t)(left + right));
  free(both);
  if (pair->left < 0 || pair->right < 0 || *joined < 0)
    return heed_error(HEED_INVALID, "%s '%.*s' is no token of vocab.json", *joined < 0 ? "what it gives of" : "a part of",
                      (int)(bytes < 100 ? bytes : 100), line);
  return HEED_OK;
}

/* Reads all merges; `pairs` has room for a line each.  The first line may name a version. */
static heed_status read_lines(heed_bpe *bpe, const part *merges, heed_bpe_pair *pairs, int64_t *count) {
  const char *end = merges->text + merges->bytes;
  int64_t number = 1;
  for (const char *line = merges->text, *next; line < end; line = next, number++) {
    const char *newline = memchr(line, '\n', (size_t)(end - line)), *stop = newline ? newline : end;
    int32_t joined = -1;
    next = newline ? newline + 1 : end;
    stop -= stop > line && stop[-1] == '\r';
    if (number == 1 && stop - line >= 8 && memcmp(line, "#version", 8) == 0)
      continue;
    heed_status status = read_merge(bpe, line, (size_t)(stop - line), &pairs[*count], &joined);
    if (status == HEED_OK) {
      status = heed_bpe_merges_add(&bpe->merges, pairs[*count].left, pairs[*count].right, (int32_t)*count, joined);
      if (status != HEED_OK)
        heed_error_in(status, "'%.*s'", (int)(stop - line < 100 ? stop - line : 100), line);
    }
    if (status != HEED_OK)
      return heed_error_in(status, "%s: line %lld", merges->name, (long long)number);
    ++*count;
  }
  return HEED_OK;
}

/* Merges, and the vocabulary's own text. */
static heed_status read_merges(heed_bpe *bpe, const part *merges) {
  int64_t lines = 1, count = 0, most = (int64_t)(merges->bytes / SHORTEST_MERGE) + 2; /* one of them the version, one without an end */
  for (size_t i = 0; i < merges->bytes && lines < most; i++)
    lines += merges->text[i] == '\n';
  HEED_TRY(heed_bpe_merges_create(&bpe->merges, lines));
  heed_bpe_pair *pairs = malloc((size_t)lines * sizeof *pairs);
  heed_status status = pairs ? read_lines(bpe, merges, pairs, &count) : short_of_memory(merges->name);
  if (status == HEED_OK)
    status = heed_bpe_print(&bpe->names, pairs, count, &bpe->base.text, &bpe->base.bytes);
  free(pairs);
  return status;
}

/* Tokens that stand for themselves: their bytes alone are joined to just this token. */
static heed_status find_whole(heed_bpe *bpe, const char *name) {
  for (int32_t id = 0; id < bpe->base.size; id++) {
    const char *raw = bpe->raw + bpe->raw_at[id];
    int64_t length = (int64_t)(bpe->raw_at[id + 1] - bpe->raw_at[id]), tokens = length;
    int32_t ids[LONGEST_WHOLE];
    if (length == 0 || length > LONGEST_WHOLE)
      continue;
    for (int64_t i = 0; i < length; i++)
      ids[i] = bpe->byte_ids[(unsigned char)raw[i]];
    HEED_TRY(heed_bpe_merge_all(&bpe->merges, ids, &tokens));
    if (tokens > 1 || ids[0] != id)
      continue;
    int64_t item = heed_string_map_add(&bpe->whole, raw, (int32_t)length);
    if (item < 0)
      return short_of_memory(name);
    bpe->whole.items[item].value = id;
  }
  return HEED_OK;
}

static heed_status create(heed_tokenizer **tokenizer, const part *json, const part *merges) {
  heed_bpe *bpe = calloc(1, sizeof *bpe);
  if (!bpe)
    return short_of_memory(json->name);
  bpe->base.operations = &heed_bpe_operations;
  bpe->base.cased = true;
  heed_status status = read_tokens(bpe, json);
  if (status == HEED_OK)
    status = read_merges(bpe, merges);
  if (status == HEED_OK)
    status = find_whole(bpe, json->name);
  if (status != HEED_OK) {
    heed_tokenizer_free(&bpe->base);
    return status;
  }
  bpe->base.hash = heed_hash(bpe->base.text, bpe->base.bytes);
  *tokenizer = &bpe->base;
  return HEED_OK;
}

heed_status heed_bpe_from_text(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name) {
  const char *newline = memchr(text, '\n', bytes);
  size_t json = newline ? (size_t)(newline - text) : bytes, merges = newline ? bytes - json - 1 : 0;
  *tokenizer = NULL;
  if (json > HEED_VOCABULARY_BYTES || merges > HEED_VOCABULARY_BYTES)
    return heed_error(HEED_INVALID, "%s: larger than %d MiB: not a vocabulary", name, HEED_VOCABULARY_BYTES >> 20);
  return create(tokenizer, &(part){text, json, name}, &(part){text + bytes - merges, merges, name});
}

heed_status heed_bpe_open(heed_tokenizer **tokenizer, const char *folder) {
  static const char *const names[] = {"vocab.json", "merges.txt"};
  static const char *const kinds[] = {"the vocab.json of a BPE vocabulary", "the merges.txt of a BPE vocabulary"};
  char *paths[2] = {NULL}, *texts[2] = {NULL};
  size_t bytes[2];
  heed_status status = HEED_OK;
  *tokenizer = NULL;
  for (int i = 0; i < 2 && status == HEED_OK; i++) {
    if (asprintf(&paths[i], "%s/%s", folder, names[i]) < 0) {
      paths[i] = NULL;
      status = short_of_memory(folder);
    } else {
      status = heed_file_take(paths[i], kinds[i], HEED_VOCABULARY_BYTES, &texts[i], &bytes[i]);
    }
  }
  if (status == HEED_OK)
    status = create(tokenizer, &(part){texts[0], bytes[0], paths[0]}, &(part){texts[1], bytes[1], paths[1]});
  for (int i = 0; i < 2; i++) {
    free(paths[i]);
    free(texts[i]);
  }
  return status;
}
