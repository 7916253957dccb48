/** WordPiece tokenizer: text to token ids, exactly as BERT does.
 *  Source: google-research/bert, tokenization.py; Hugging Face tokenizers, BertWordPieceTokenizer. */
#ifndef HEED_TOKENIZER_H
#define HEED_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

typedef struct heed_tokenizer heed_tokenizer;

/** Ids of the special tokens.  A vocabulary without one of them is refused. */
typedef struct heed_special_tokens {
  int32_t pad, unknown, classify, separate, mask; /* [PAD] [UNK] [CLS] [SEP] [MASK] */
} heed_special_tokens;

/** Reads a vocabulary, a token a line; the line number, from 0, is the id.
 *  Errors: HEED_INVALID for a file that is missing, empty, larger than 8 MiB, not UTF-8 text, has an empty line or a token twice, or
 *  lacks a special token; HEED_IO for a failed read. */
heed_status heed_tokenizer_open(heed_tokenizer **tokenizer, const char *path, bool cased);

/** The same from text in memory; `name` is for messages. */
heed_status heed_tokenizer_from_text(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name, bool cased);

void heed_tokenizer_free(heed_tokenizer *tokenizer);

/** Encodes UTF-8 text; special tokens in the text are kept whole; invalid bytes become U+FFFD, which cleaning drops (counted by
 *  heed_tokenizer_replaced).  A word over 100 characters is [UNK].  No [CLS] or [SEP] is added.  Thread-safe.
 *  \param[in,out] ids, capacity  a growing array, realloc'ed as needed (start with NULL, 0)
 *  \param[out] count  ids written
 *  Errors: HEED_FAILED when memory is short. */
heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes, int32_t **ids, int64_t *capacity,
                                  int64_t *count);

/** How many U+FFFD encoding puts in the place of ill-formed bytes of this text (one a maximal subpart, Unicode 15, section 3.9).
 *  A function of the text alone, so threads may count their own. */
int64_t heed_tokenizer_replaced(const char *text, size_t bytes);

/** The text of ids: pieces joined, ## removed, spaces between words.  The caller frees it.
 *  Errors: HEED_INVALID for an id outside the vocabulary. */
heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t count, char **text);

int64_t heed_tokenizer_size(const heed_tokenizer *tokenizer);
const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id);   /**< NULL outside the vocabulary */
int32_t heed_tokenizer_find(const heed_tokenizer *tokenizer, const char *token); /**< −1 when absent */
const heed_special_tokens *heed_tokenizer_special(const heed_tokenizer *tokenizer);
bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id);
bool heed_tokenizer_is_continuation(const heed_tokenizer *tokenizer, int32_t id); /**< begins with ## */
int64_t heed_tokenizer_token_bytes(const heed_tokenizer *tokenizer, int32_t id);
bool heed_tokenizer_is_cased(const heed_tokenizer *tokenizer);

/** Hash of the vocabulary's tokens in order: names it in shards and checkpoints. */
uint64_t heed_tokenizer_hash(const heed_tokenizer *tokenizer);

/** The vocabulary as the text of a vocab.txt: `bytes` bytes and a zero behind them.  Owned by the tokenizer. */
const char *heed_tokenizer_text(const heed_tokenizer *tokenizer, size_t *bytes);

#endif
