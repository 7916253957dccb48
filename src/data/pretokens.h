/** The words within which byte-level BPE joins: a text cut as GPT-2's pattern cuts it,
 *
 *      's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
 *
 *  with <|endoftext|> kept whole before.  Nothing is dropped.  What is a letter, a number and white space is as Hugging Face's
 *  `tokenizers` has it (Unicode 16.0); where utf8proc (15.0 or newer) differs, the table pretoken_exceptions.h stands before it.
 *  Source: openai/gpt-2, encoder.py; tests/parity/bpe.py compares every code point with the library. */
#ifndef HEED_DATA_PRETOKENS_H
#define HEED_DATA_PRETOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEED_END_OF_TEXT "<|endoftext|>"

typedef enum heed_pretoken_class {
  HEED_PRETOKEN_OTHER,
  HEED_PRETOKEN_LETTER,
  HEED_PRETOKEN_NUMBER,
  HEED_PRETOKEN_SPACE
} heed_pretoken_class;

/** The class of a code point; −1, for ill-formed bytes, is as U+FFFD. */
heed_pretoken_class heed_pretoken_class_of(int32_t code);

typedef struct heed_pretokens {
  const char *at, *section, *end; /**< what is left of the text; the next <|endoftext|>, or its end */
} heed_pretokens;

typedef struct heed_pretoken {
  const char *text;
  size_t bytes;
  bool special; /**< <|endoftext|> */
} heed_pretoken;

/** Starts over a text, which must stay as long as it is read. */
heed_pretokens heed_pretokens_of(const char *text, size_t bytes);

/** The next one; false after the last. */
bool heed_pretokens_next(heed_pretokens *pretokens, heed_pretoken *pretoken);

/** Where a long text, which may go on, can be cut so that its parts have the pre-tokens of the whole: at the end of one, or, if it is all
 *  one pre-token, between two characters. */
size_t heed_pretokens_cut(const char *text, size_t bytes);

#endif
