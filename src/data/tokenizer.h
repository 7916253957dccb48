/** What the kinds of tokenizers have in common, and the table of what they do each in their own way (wordpiece.c, bpe.c). */
#ifndef HEED_DATA_TOKENIZER_H
#define HEED_DATA_TOKENIZER_H

#include "data/text.h"
#include "heed/tokenizer.h"

/** A vocabulary of half a million tokens is 5 MB; the bound keeps what a stranger's file can make us allocate below 256 MiB. */
enum { HEED_VOCABULARY_BYTES = 8 << 20 };

typedef struct heed_tokenizer_operations {
  heed_vocabulary_kind kind;
  const char *name;
  heed_text_cut *cut; /**< where a text may be cut so that its parts have the tokens of the whole */
  heed_status (*encode)(const heed_tokenizer *, const char *text, size_t bytes, int32_t **ids, int64_t *capacity, int64_t *count);
  /** Writes the text of a token that stands behind `before` others at `out`, which may be NULL.  Returns its bytes. */
  size_t (*print)(const heed_tokenizer *, int32_t id, int64_t before, char *out);
  int32_t (*find)(const heed_tokenizer *, const char *token);
  bool (*is_special)(const heed_tokenizer *, int32_t id);
  int64_t (*token_bytes)(const heed_tokenizer *, int32_t id);
  bool (*files)(const heed_tokenizer *, int i, const char **name, const char **text, size_t *bytes);
  void (*free)(heed_tokenizer *);
} heed_tokenizer_operations;

/** The first member of each kind's own structure. */
struct heed_tokenizer {
  const heed_tokenizer_operations *operations;
  char *text; /**< [bytes + 1] as heed_tokenizer_text gives it */
  size_t bytes;
  char *names;     /**< the tokens, each followed by a zero */
  size_t *name_at; /**< [size] where each token begins in names */
  int64_t size;
  heed_special_tokens special;
  uint64_t hash;
  bool cased;
};

/** Where lines are cut for this tokenizer. */
heed_text_cut *heed_tokenizer_cut(const heed_tokenizer *tokenizer);

/** Makes room for `more` ids behind `count`.  Errors: HEED_FAILED when memory is short. */
heed_status heed_tokenizer_reserve(int32_t **ids, int64_t *capacity, int64_t count, int64_t more);

/** The kinds: a tokenizer from the content of its files.  `name` is for messages.  Errors: as heed_tokenizer_open. */
heed_status heed_wordpiece_create(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name, bool cased);
heed_status heed_bpe_open(heed_tokenizer **tokenizer, const char *folder);
heed_status heed_bpe_from_text(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name);

#endif
