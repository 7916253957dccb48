/* One interface over the kinds of tokenizers. */
#include "data/tokenizer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/utf8.h"

/* BPE's text begins with a JSON object.  No vocab.txt of BERT's does: two signs of punctuation are no piece of a word. */
static bool is_bpe(const char *text, size_t bytes) {
  return bytes >= 2 && text[0] == '{' && text[1] == '"';
}

heed_status heed_tokenizer_from_text(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name, bool cased) {
  return is_bpe(text, bytes) ? heed_bpe_from_text(tokenizer, text, bytes, name)
                             : heed_wordpiece_create(tokenizer, text, bytes, name, cased);
}

heed_status heed_tokenizer_open(heed_tokenizer **tokenizer, const char *path, bool cased) {
  char *text;
  size_t bytes;
  struct stat about;
  *tokenizer = NULL;
  if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
    return heed_bpe_open(tokenizer, path);
  HEED_TRY(heed_file_take(path, "a vocabulary (a token a line)", HEED_VOCABULARY_BYTES, &text, &bytes));
  heed_status status =
      is_bpe(text, bytes)
          ? heed_error(HEED_INVALID, "%s: not a token a line; of a BPE vocabulary (vocab.json, merges.txt) name the folder", path)
          : heed_wordpiece_create(tokenizer, text, bytes, path, cased);
  free(text);
  return status;
}

void heed_tokenizer_free(heed_tokenizer *tokenizer) {
  if (!tokenizer)
    return;
  tokenizer->operations->free(tokenizer);
  free(tokenizer->text);
  free(tokenizer->names);
  free(tokenizer->name_at);
  free(tokenizer);
}

heed_vocabulary_kind heed_tokenizer_kind(const heed_tokenizer *tokenizer) {
  return tokenizer->operations->kind;
}

const char *heed_tokenizer_kind_name(const heed_tokenizer *tokenizer) {
  return tokenizer->operations->name;
}

heed_text_cut *heed_tokenizer_cut(const heed_tokenizer *tokenizer) {
  return tokenizer->operations->cut;
}

heed_status heed_tokenizer_reserve(int32_t **ids, int64_t *capacity, int64_t count, int64_t more) {
  if (*capacity - count >= more)
    return HEED_OK;
  int64_t larger = 2 * *capacity + more;
  int32_t *grown = realloc(*ids, (size_t)larger * sizeof *grown);
  if (!grown)
    return heed_error(HEED_FAILED, "out of memory for %lld tokens", (long long)larger);
  *ids = grown;
  *capacity = larger;
  return HEED_OK;
}

heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes, int32_t **ids, int64_t *capacity,
                                  int64_t *count) {
  *count = 0;
  return tokenizer->operations->encode(tokenizer, text, bytes, ids, capacity, count);
}

int64_t heed_tokenizer_replaced(const char *text, size_t bytes) {
  return heed_utf8_count_invalid(text, bytes);
}

heed_status heed_tokenizer_decode_behind(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t first, int64_t count, char **text,
                                         size_t *bytes) {
  size_t all = 0, at = 0;
  *text = NULL;
  *bytes = 0;
  for (int64_t i = first; i < count; i++) {
    if (ids[i] < 0 || ids[i] >= tokenizer->size)
      return heed_error(HEED_INVALID, "token id %d is outside the vocabulary of %lld", (int)ids[i], (long long)tokenizer->size);
    all += tokenizer->operations->print(tokenizer, ids[i], i, NULL);
  }
  char *out = malloc(all + 1);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for the text of %lld tokens", (long long)count);
  for (int64_t i = first; i < count; i++)
    at += tokenizer->operations->print(tokenizer, ids[i], i, out + at);
  out[at] = 0;
  *text = out;
  *bytes = at;
  return HEED_OK;
}

heed_status heed_tokenizer_decode_bytes(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t count, char **text, size_t *bytes) {
  return heed_tokenizer_decode_behind(tokenizer, ids, 0, count, text, bytes);
}

heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t count, char **text) {
  size_t bytes;
  return heed_tokenizer_decode_bytes(tokenizer, ids, count, text, &bytes);
}

int64_t heed_tokenizer_size(const heed_tokenizer *tokenizer) {
  return tokenizer->size;
}

const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id) {
  return id >= 0 && id < tokenizer->size ? tokenizer->names + tokenizer->name_at[id] : NULL;
}

int32_t heed_tokenizer_find(const heed_tokenizer *tokenizer, const char *token) {
  return tokenizer->operations->find(tokenizer, token);
}

const heed_special_tokens *heed_tokenizer_special(const heed_tokenizer *tokenizer) {
  return &tokenizer->special;
}

bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id) {
  return tokenizer->operations->is_special(tokenizer, id);
}

bool heed_tokenizer_is_continuation(const heed_tokenizer *tokenizer, int32_t id) {
  const char *token = heed_tokenizer_token(tokenizer, id);
  return tokenizer->operations->kind == HEED_WORDPIECE && token && token[0] == '#' && token[1] == '#';
}

bool heed_tokenizer_is_cased(const heed_tokenizer *tokenizer) {
  return tokenizer->cased;
}

int64_t heed_tokenizer_token_bytes(const heed_tokenizer *tokenizer, int32_t id) {
  return id >= 0 && id < tokenizer->size ? tokenizer->operations->token_bytes(tokenizer, id) : -1;
}

uint64_t heed_tokenizer_hash(const heed_tokenizer *tokenizer) {
  return tokenizer->hash;
}

const char *heed_tokenizer_text(const heed_tokenizer *tokenizer, size_t *bytes) {
  *bytes = tokenizer->bytes;
  return tokenizer->text;
}

bool heed_tokenizer_files(const heed_tokenizer *tokenizer, int i, const char **name, const char **text, size_t *bytes) {
  return tokenizer->operations->files(tokenizer, i, name, text, bytes);
}
