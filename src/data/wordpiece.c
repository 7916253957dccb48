/* WordPiece: each word (words.h) is cut greedily, the longest piece of the vocabulary first; a word that cannot be cut is [UNK]. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "data/tokenizer.h"
#include "data/trie.h"
#include "data/words.h"

typedef struct wordpiece {
  heed_tokenizer base; /* text: the tokens, each followed by a newline */
  heed_trie trie;
  int32_t special_ids[HEED_SPECIALS]; /* in the order of heed_special_names */
} wordpiece;

static const wordpiece *of(const heed_tokenizer *tokenizer) {
  return (const wordpiece *)(const void *)tokenizer;
}

/* Copies the lines of `text`, each with a newline behind it, whatever ended it. */
static heed_status copy_lines(heed_tokenizer *t, const char *text, size_t bytes, const char *name) {
  if (bytes == 0)
    return heed_error(HEED_INVALID, "%s: the vocabulary is empty; `heed tokenizer train` makes one", name);
  if (bytes > HEED_VOCABULARY_BYTES) /* from a checkpoint; a file is not even read */
    return heed_error(HEED_INVALID, "%s: larger than %d MiB: not a vocabulary", name, HEED_VOCABULARY_BYTES >> 20);
  if (memchr(text, 0, bytes) || !heed_utf8_is_valid(text, bytes))
    return heed_error(HEED_INVALID, "%s: not UTF-8 text: a vocabulary is a vocab.txt with a token a line", name);
  t->text = malloc(bytes + 2);
  t->names = malloc(bytes + 1);
  if (!t->text || !t->names)
    return heed_error(HEED_FAILED, "%s: out of memory for the vocabulary", name);
  for (size_t i = 0; i < bytes; i++) /* a carriage return ends a line too, as in transformers: no token holds one */
    if (text[i] != '\r')
      t->text[t->bytes++] = text[i];
    else if (i + 1 == bytes || text[i + 1] != '\n')
      t->text[t->bytes++] = '\n';
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

static heed_status add_tokens(wordpiece *w, const char *name) {
  heed_tokenizer *t = &w->base;
  HEED_TRY(heed_trie_create(&w->trie));
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
    heed_status status = continuation ? heed_trie_add(&w->trie, HEED_TRIE_CONTINUATIONS, token + 2, length - 2, (int32_t)id, &earlier)
                                      : heed_trie_add(&w->trie, HEED_TRIE_WORDS, token, length, (int32_t)id, &earlier);
    if (status != HEED_OK)
      return heed_error_in(status, "%s: line %lld", name, (long long)id + 1);
    if (earlier >= 0)
      return heed_error(HEED_INVALID, "%s: line %lld: the token '%.100s' stands on line %lld already", name, (long long)id + 1, token,
                        (long long)earlier + 1);
  }
  return HEED_OK;
}

static int32_t find(const heed_tokenizer *tokenizer, const char *token) {
  bool continuation = strncmp(token, "##", 2) == 0;
  const heed_trie *trie = &of(tokenizer)->trie;
  uint32_t node = continuation ? HEED_TRIE_CONTINUATIONS : HEED_TRIE_WORDS;
  for (const char *at = continuation ? token + 2 : token; *at && node != 0; at++)
    node = heed_trie_step(trie, node, (unsigned char)*at);
  return node == 0 ? -1 : trie->ids[node];
}

static heed_status find_special(wordpiece *w, const char *name) {
  for (int i = 0; i < HEED_SPECIALS; i++)
    if ((w->special_ids[i] = find(&w->base, heed_special_names[i])) < 0)
      return heed_error(HEED_INVALID, "%s: the vocabulary has no %s; it must hold [PAD] [UNK] [CLS] [SEP] [MASK]", name,
                        heed_special_names[i]);
  const int32_t *id = w->special_ids;
  w->base.special = (heed_special_tokens){.pad = id[0], .unknown = id[1], .classify = id[2], .separate = id[3], .mask = id[4]};
  return HEED_OK;
}

/* Cuts one word into at most HEED_WORD_CHARACTERS pieces.  Tokens and word are whole characters, so a match ends on one. */
static int64_t cut_word(const wordpiece *w, const heed_word *word, int32_t *ids) {
  int64_t count = 0;
  int at = 0;
  if (word->special >= 0) {
    ids[0] = w->special_ids[word->special];
    return 1;
  }
  if (word->characters > HEED_WORD_CHARACTERS)
    at = -1;
  while (at >= 0 && at < word->bytes) {
    uint32_t node = at == 0 ? HEED_TRIE_WORDS : HEED_TRIE_CONTINUATIONS;
    int32_t longest = -1;
    int end = -1;
    for (int i = at; i < word->bytes && (node = heed_trie_step(&w->trie, node, (unsigned char)word->text[i])) != 0; i++)
      if (w->trie.ids[node] >= 0) {
        longest = w->trie.ids[node];
        end = i + 1;
      }
    at = end;
    if (end >= 0)
      ids[count++] = longest;
  }
  if (at >= 0)
    return count;
  ids[0] = w->base.special.unknown;
  return 1;
}

static heed_status encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes, int32_t **ids, int64_t *capacity,
                          int64_t *count) {
  heed_words words = heed_words_of(text, bytes, tokenizer->cased);
  heed_word word;
  while (heed_words_next(&words, &word)) {
    HEED_TRY(heed_tokenizer_reserve(ids, capacity, *count, HEED_WORD_CHARACTERS));
    *count += cut_word(of(tokenizer), &word, *ids + *count);
  }
  return HEED_OK;
}

/* A space between two words, none before the piece that goes on with one. */
static size_t print(const heed_tokenizer *tokenizer, int32_t id, int64_t before, char *out) {
  const char *token = heed_tokenizer_token(tokenizer, id);
  size_t space = before > 0 && !heed_tokenizer_is_continuation(tokenizer, id);
  if (before > 0 && !space)
    token += 2;
  size_t length = strlen(token);
  if (out) {
    memset(out, ' ', space);
    memcpy(out + space, token, length);
  }
  return space + length;
}

static bool is_special(const heed_tokenizer *tokenizer, int32_t id) {
  for (int i = 0; i < HEED_SPECIALS; i++)
    if (of(tokenizer)->special_ids[i] == id)
      return true;
  return false;
}

/* Cleaning, casing and spaces are lost: a piece stands for no certain number of bytes. */
static int64_t token_bytes(const heed_tokenizer *tokenizer, int32_t id) {
  (void)tokenizer, (void)id;
  return -1;
}

static bool files(const heed_tokenizer *tokenizer, int i, const char **name, const char **text, size_t *bytes) {
  *name = "vocab.txt";
  *text = tokenizer->text;
  *bytes = tokenizer->bytes;
  return i == 0;
}

static void free_trie(heed_tokenizer *tokenizer) {
  heed_trie_free(&((wordpiece *)(void *)tokenizer)->trie);
}

static const heed_tokenizer_operations operations = {.kind = HEED_WORDPIECE,
                                                     .name = "wordpiece",
                                                     .cut = heed_words_cut,
                                                     .encode = encode,
                                                     .print = print,
                                                     .find = find,
                                                     .is_special = is_special,
                                                     .token_bytes = token_bytes,
                                                     .files = files,
                                                     .free = free_trie};

heed_status heed_wordpiece_create(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name, bool cased) {
  *tokenizer = NULL;
  wordpiece *w = calloc(1, sizeof *w);
  if (!w)
    return heed_error(HEED_FAILED, "%s: out of memory for the vocabulary", name);
  w->base.operations = &operations;
  w->base.cased = cased;
  heed_status status = copy_lines(&w->base, text, bytes, name);
  if (status == HEED_OK)
    status = add_tokens(w, name);
  if (status == HEED_OK)
    status = find_special(w, name);
  if (status != HEED_OK) {
    heed_tokenizer_free(&w->base);
    return status;
  }
  w->base.hash = heed_hash(w->base.text, w->base.bytes);
  *tokenizer = &w->base;
  return HEED_OK;
}
