/** Tokenizers: text to token ids and back.  There are two kinds.
 *
 *  WordPiece, exactly as BERT does: words in lower case (or as they are, when cased), cut into the longest pieces of a vocab.txt.
 *  Byte-level BPE, exactly as GPT-2 does: the text's bytes, joined within words by the merges of vocab.json and merges.txt.  It knows no
 *  unknown text, keeps case, and gives every byte back.
 *  Source: google-research/bert, tokenization.py; openai/gpt-2, encoder.py; Hugging Face tokenizers. */
#ifndef HEED_TOKENIZER_H
#define HEED_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"

typedef struct heed_tokenizer heed_tokenizer;

typedef enum heed_vocabulary_kind { HEED_WORDPIECE, HEED_BPE } heed_vocabulary_kind;

/** Ids of the special tokens, −1 for those that a kind does not have.  A vocabulary without one that its kind has is refused. */
typedef struct heed_special_tokens {
  int32_t pad, unknown, classify; /**< [PAD] [UNK] [CLS] of WordPiece */
  int32_t separate;               /**< [SEP] of WordPiece, <|endoftext|> of BPE: ends a document */
  int32_t mask;                   /**< [MASK] of WordPiece */
} heed_special_tokens;

/** Reads a vocabulary.  A file is a WordPiece vocab.txt, a token a line; the line number, from 0, is the id.  A folder is byte-level BPE:
 *  vocab.json (an object, token: id) and merges.txt (two tokens a line, the first pair joined first).
 *  \param[in] cased  WordPiece: keep upper case and accents; BPE always does
 *  Errors: HEED_INVALID for a file that is missing, empty, larger than 8 MiB or not UTF-8 text, for a token twice or a special token
 *  missing, for ids that are not 0 … N − 1, for a merge of what is no token; HEED_IO for a failed read. */
heed_status heed_tokenizer_open(heed_tokenizer **tokenizer, const char *path, bool cased);

/** The same from what heed_tokenizer_text gave; `name` is for messages. */
heed_status heed_tokenizer_from_text(heed_tokenizer **tokenizer, const char *text, size_t bytes, const char *name, bool cased);

void heed_tokenizer_free(heed_tokenizer *tokenizer);

heed_vocabulary_kind heed_tokenizer_kind(const heed_tokenizer *tokenizer);
const char *heed_tokenizer_kind_name(const heed_tokenizer *tokenizer); /**< "wordpiece" or "bpe" */

/** Encodes UTF-8 text; special tokens in the text are kept whole.  Ill-formed bytes become U+FFFD, which WordPiece's cleaning drops and
 *  BPE keeps (heed_tokenizer_replaced counts them).  A WordPiece word over 100 characters is [UNK].  No special token is added.
 *  Thread-safe.
 *  \param[in,out] ids, capacity  a growing array, realloc'ed as needed (start with NULL, 0)
 *  \param[out] count  ids written
 *  Errors: HEED_FAILED when memory is short, HEED_INVALID for a BPE word beyond 1 GiB. */
heed_status heed_tokenizer_encode(const heed_tokenizer *tokenizer, const char *text, size_t bytes, int32_t **ids, int64_t *capacity,
                                  int64_t *count);

/** How many U+FFFD encoding puts in the place of ill-formed bytes of this text (one a maximal subpart, Unicode 15, section 3.9).
 *  A function of the text alone, so threads may count their own. */
int64_t heed_tokenizer_replaced(const char *text, size_t bytes);

/** The text of ids.  WordPiece: pieces joined, ## removed, spaces between words.  BPE: the exact bytes, which may be no whole characters.
 *  The caller frees it.
 *  Errors: HEED_INVALID for an id outside the vocabulary. */
heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t count, char **text);

/** The same with the text's length, since BPE's bytes may hold zeros.  A zero stands behind them too. */
heed_status heed_tokenizer_decode_bytes(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t count, char **text, size_t *bytes);

/** The text of ids [first, count) as it goes on behind that of those before them: the two together are the text of all. */
heed_status heed_tokenizer_decode_behind(const heed_tokenizer *tokenizer, const int32_t *ids, int64_t first, int64_t count, char **text,
                                         size_t *bytes);

int64_t heed_tokenizer_size(const heed_tokenizer *tokenizer);
const char *heed_tokenizer_token(const heed_tokenizer *tokenizer, int32_t id);   /**< NULL outside the vocabulary */
int32_t heed_tokenizer_find(const heed_tokenizer *tokenizer, const char *token); /**< −1 when absent */
const heed_special_tokens *heed_tokenizer_special(const heed_tokenizer *tokenizer);
bool heed_tokenizer_is_special(const heed_tokenizer *tokenizer, int32_t id);
bool heed_tokenizer_is_continuation(const heed_tokenizer *tokenizer, int32_t id); /**< WordPiece: begins with ## */
bool heed_tokenizer_is_cased(const heed_tokenizer *tokenizer);                    /**< always with BPE */

/** Bytes of text that a BPE token stands for, 0 for <|endoftext|>; −1 for WordPiece, and outside the vocabulary. */
int64_t heed_tokenizer_token_bytes(const heed_tokenizer *tokenizer, int32_t id);

/** Hash of the vocabulary (of heed_tokenizer_text): names it in shards and checkpoints. */
uint64_t heed_tokenizer_hash(const heed_tokenizer *tokenizer);

/** The whole vocabulary as one text, which tells its kind: a vocab.txt; or vocab.json on its first line, and merges.txt.  How the files
 *  were laid out leaves no trace in it.  `bytes` bytes and a zero behind them.  Owned by the tokenizer. */
const char *heed_tokenizer_text(const heed_tokenizer *tokenizer, size_t *bytes);

/** The files that make the vocabulary, i = 0, 1, …: vocab.txt; or vocab.json and merges.txt.  False after the last.
 *  \param[out] name  the file's; \param[out] text  its content, `bytes` bytes, not terminated.  Owned by the tokenizer. */
bool heed_tokenizer_files(const heed_tokenizer *tokenizer, int i, const char **name, const char **text, size_t *bytes);

#endif
