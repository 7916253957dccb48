/* WordPiece: each word (words.h) is cut greedily, the longest piece of the vocabulary first; a word that cannot be cut is [UNK]. */
#include "heed/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "data/trie.h"
#include "data/utf8.h"
#include "data/words.h"

/* A vocabulary of half a million tokens is 5 MB; the bound keeps what a stranger's file can make us allocate below 256 MiB. */
enum { MOST_BYTES = 8 << 20 };

struct heed_tokenizer {
  heed_trie trie;
  char *text;  /* [bytes + 1] the tokens, each followed by a newline, and a zero */
  char *names; /* [bytes] the same, each followed by a zero */
  size_t bytes;
  size_t *name_at; /* [size] where each token begins in names */
  int64_t size;
  heed_special_tokens special;
  int32_t special_ids[HEED_SPECIALS]; /* in the order of heed_special_names */
  uint64_t hash;
  bool cased;
};

/* Copies the lines of `text` without returns before newlines, the last one with a newline too. */
static heed_status copy_lines(heed_tokenizer *t, const char *text, size_t bytes, const char *name) {
  if (bytes == 0)
    return heed_error(HEED_INVALID, "%s: the vocabulary is empty; `heed tokenizer train` makes one", name);
  if (bytes > MOST_BYTES) /* from a checkpoint; a file is not even read */
    return heed_error(HEED_INVALID, "%s: larger than %d MiB: not a vocabulary", name, MOST_BYTES >> 20);
  if (memchr(text, 0, bytes) || !heed_utf8_is_valid(text, bytes))
    return heed_error(HEED_INVALID, "%s: not UTF-8 text: a vocabulary is a vocab.txt with a token a line", name);
  t->text = malloc(bytes + 2);
  t->names = malloc(bytes + 1);
  if (!t->text || !t->names)
    return heed_error(HEED_FAILED, "%s: out of memory for the vocabulary", name);
  for (size_t i = 0; i < bytes; i++)
    if (text[i] != '\r' || (i + 1 < bytes && text[i + 1] != '\n'))
      t->text[t->bytes++] = text[i];
  if (t->bytes == 0 || t->text[t->bytes - 1] != '\n')
    t->text[t->bytes++] = '\n';
  t->text[t->bytes] = 0;
  memcpy(t->names, t->text, t->bytes);
  for (size_t i = 0; i < t->bytes; i++) {
    t->size += t->text[i] == '\n';
    if (t->text[i] == '\n')
      t->names[i] = 0;
  }
  return HEED_OK;
}

static heed_status add_tokens(heed_tokenizer *t, const char *name) {
  HEED_TRY(heed_trie_create(&t->trie));
  if (!(t->name_at = malloc((size_t)t->size * sizeof *t->name_at)))
    return heed_error(HEED_FAILED, "%s: out of memory for the vocabulary", name);
  size_t at = 0;
  for (int64_t id = 0; id < t->size; id++) {
    const char *token = t->names + at;
    size_t length = strlen(token);
    int32_t earlier;
    t->name_at[id] = at;
    at += length + 1;
    if (length == 0)
      return heed_error(HEED_INVALID, "%s: line %lld is empty; a vocabulary has a token a line", name, (long long)id + 1);
    bool continuation = length >= 2 && memcmp(token, "##", 2) == 0;
    heed_status status = continuation ? heed_trie_add(&t->trie, HEED_TRIE_CONTINUATIONS, token + 2, length - 2, (int32_t)id, &earlier)
                                      : heed_trie_add(&t->trie, HEED_TRIE_WORDS, token, length, (int32_t)id, &earlier);
    if (status != HEED_OK)
      return heed_error_in(status, "%s: line %lld", name, (long long)id + 1);
    if (earlier >= 0)
      return heed_error(HEED_INVALID, "%s: line %lld: the token '%.100s' stands on line %lld already", name, (long long)id + 1, token,
                        (long long)earlier + 1);
  }
  return HEED_OK;
}

static heed_status find_special(heed_tokenizer *t, const char *name) {
  for (int i = 0; i < HEED_SPECIALS; i++)
    if ((t->special_ids[i] = heed_tokenizer_find(t, heed_special_names[i])) < 0)
      return heed_error(HEED_INVALID, "%s: the vocabulary has no %s; it must hold [PAD] [UNK] [CLS] [SEP] [MASK]", name,
                        heed_special_names[i]);
  const int32_t *id = t->special_ids;
  t->special = (heed_special_tokens){.pad = id[0], .unknown = id[1], .classify = id[2], .separate = id[3], .mask = id[4]};
  return HEED_OK;
}

heed_status heed_tokenizer_from_text(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name, bool cased) {
  *tokenizer = NULL;
  heed_tokenizer *t = calloc(1, sizeof *t);
  if (!t)
    return heed_error(HEED_FAILED, "%s: out of memory for the vocabulary", name);
  t->cased = cased;
  heed_status status = copy_lines(t, text, bytes, name);
  if (status == HEED_OK)
    status = add_tokens(t, name);
  if (status == HEED_OK)
    status = find_special(t, name);
  if (status != HEED_OK) {
    heed_tokenizer_free(t);
    return status;
  }
  t->hash = heed_hash(t->text, t->bytes);
  *tokenizer = t;
  return HEED_OK;
}

heed_status heed_tokenizer_open(heed_tokenizer **tokenizer, const char *path, bool cased) {
  char *text;
  size_t bytes;
  *tokenizer = NULL;
  HEED_TRY(heed_file_take(path, "a vocabulary (a token a line)", MOST_BYTES, &text, &bytes));
  heed_status status = heed_tokenizer_from_text(tokenizer, text, bytes, path, cased);
  free(text);
  return status;
}

void heed_tokenizer_free(heed_tokenizer *tokenizer) {
  if (!tokenizer)
    return;
  heed_trie_free(&tokenizer->trie);
  free(tokenizer->text);
  free(tokenizer->names);
  free(tokenizer->name_at);
  free(tokenizer);
}

/* Cuts one word into at most HEED_WORD_CHARACTERS pieces.  Tokens and word are whole characters, so a match ends on one. */
static int64_t cut_word(const heed_tokenizer *t, const heed_word *word, int32_t *ids) {
  int64_t count = 0;
  int at = 0;
  if (word->special >= 0) {
    ids[0] = t->special_ids[word->special];
    return 1;
  }
  if (word->characters > HEED_WORD_CHARACTERS)
    at = -1;
  while (at >= 0 && at < word->bytes) {
    uint32_t node = at == 0 ? HEED_TRIE_WORDS : HEED_TRIE_CONTINUATIONS;
    int32_t longest = -1;
    int end = -1;
    for (int i = at; i < word->bytes && (node = heed_trie_step(&t->trie, node, (unsigned char)word->text[i])) != 0; i++)
      if (t->trie.ids[node] >= 0) {
        longest = t->trie.ids[node];
        end = i + 1;
      }
    at = end;
    if (end >= 0)
      ids[count++] = longest;
  }
  if (at >= 0)
    return count;
  ids[0] = t->special.unknown;
  return 1;
}

heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes, int32_t **ids, int64_t *capacity,
                                  int64_t *count) {
  heed_words words = heed_words_of(text, bytes, tokenizer->cased);
  heed_word word;
  *count = 0;
  while (heed_words_next(&words, &word)) {
    if (*capacity - *count < HEED_WORD_CHARACTERS) {
      int64_t larger = 2 * *capacity + 2 * HEED_WORD_CHARACTERS;
      int32_t *grown = realloc(*ids, (size_t)larger * sizeof *grown);
      if (!grown)
        return heed_error(HEED_FAILED, "out of memory for %lld tokens", (long long)larger);
      *ids = grown;
      *capacity = larger;
    }
    *count += cut_word(tokenizer, &word, *ids + *count);
  }
  return HEED_OK;
}

int64_t heed_tokenizer_replaced(const char *text, size_t bytes) {
  return heed_utf8_count_invalid(text, bytes);
}

heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t count, char **text) {
  size_t bytes = 1, at = 0;
  *text = NULL;
  for (int64_t i = 0; i < count; i++) {
    const char *token = heed_tokenizer_token(tokenizer, ids[i]);
    if (!token)
      return heed_error(HEED_INVALID, "token id %d is outside the vocabulary of %lld", (int)ids[i], (long long)tokenizer->size);
    bytes += strlen(token) + 1;
  }
  char *out = malloc(bytes);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for the text of %lld tokens", (long long)count);
  for (int64_t i = 0; i < count; i++) {
    const char *token = heed_tokenizer_token(tokenizer, ids[i]);
    bool joined = heed_tokenizer_is_continuation(tokenizer, ids[i]) && i > 0;
    if (joined)
      token += 2;
    else if (i > 0)
      out[at++] = ' ';
    size_t length = strlen(token);
    memcpy(out + at, token, length);
    at += length;
  }
  out[at] = 0;
  *text = out;
  return HEED_OK;
}

int64_t heed_tokenizer_size(const heed_tokenizer *tokenizer) {
  return tokenizer->size;
}

const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id) {
  return id >= 0 && id < tokenizer->size ? tokenizer->names + tokenizer->name_at[id] : NULL;
}

int32_t heed_tokenizer_find(const heed_tokenizer *tokenizer, const char *token) {
  bool continuation = strncmp(token, "##", 2) == 0;
  uint32_t node = continuation ? HEED_TRIE_CONTINUATIONS : HEED_TRIE_WORDS;
  for (const char *at = continuation ? token + 2 : token; *at && node != 0; at++)
    node = heed_trie_step(&tokenizer->trie, node, (unsigned char)*at);
  return node == 0 ? -1 : tokenizer->trie.ids[node];
}

const heed_special_tokens *heed_tokenizer_special(const heed_tokenizer *tokenizer) {
  return &tokenizer->special;
}

bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id) {
  for (int i = 0; i < HEED_SPECIALS; i++)
    if (tokenizer->special_ids[i] == id)
      return true;
  return false;
}

bool heed_tokenizer_is_continuation(const heed_tokenizer *tokenizer, int32_t id) {
  const char *token = heed_tokenizer_token(tokenizer, id);
  return token && token[0] == '#' && token[1] == '#';
}

int64_t heed_tokenizer_token_bytes(const heed_tokenizer *tokenizer, int32_t id) {
  (void)tokenizer, (void)id;
  return -1;
}

bool heed_tokenizer_is_cased(const heed_tokenizer *tokenizer) {
  return tokenizer->cased;
}

uint64_t heed_tokenizer_hash(const heed_tokenizer *tokenizer) {
  return tokenizer->hash;
}

const char *heed_tokenizer_text(const heed_tokenizer *tokenizer, size_t *bytes) {
  *bytes = tokenizer->bytes;
  return tokenizer->text;
}
