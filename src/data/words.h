/** The words of a text: cleaned, normalised and split as BERT does before WordPiece.
 *
 *  Clean: U+0000, U+FFFD, ill-formed bytes and the categories Cc, Cf, Co go; tab, newline, return and every Z* character are spaces.
 *  Split: CJK ideographs and punctuation (ASCII 33–47, 58–64, 91–96, 123–126 and every P* category) are words of their own.
 *  Uncased: canonical decomposition (NFD), nonspacing marks (Mn) dropped, lower case.  Special tokens in the text are kept whole.
 *  Source: google-research/bert, tokenization.py, BasicTokenizer; where Unicode's versions make a difference (characters.h), Hugging
 *  Face's BertNormalizer and BertPreTokenizer.  tests/parity/tokenizer.py compares every code point with them. */
#ifndef HEED_DATA_WORDS_H
#define HEED_DATA_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEED_WORD_CHARACTERS = 100, HEED_SPECIALS = 5 };

/** [PAD] [UNK] [CLS] [SEP] [MASK]: the order of heed_special_tokens, and of the first entries of a vocabulary trained here. */
extern const char *const heed_special_names[HEED_SPECIALS];

typedef struct heed_words {
  const unsigned char *at, *end; /**< what is left of the text */
  bool cased;
} heed_words;

typedef struct heed_word {
  char text[4 * HEED_WORD_CHARACTERS]; /**< UTF-8, not terminated; cut at HEED_WORD_CHARACTERS */
  int bytes;
  int fence;          /**< canonical order moves no character before this byte */
  int64_t characters; /**< over HEED_WORD_CHARACTERS: too long, always [UNK] */
  int special;        /**< index in heed_special_names, or −1 */
} heed_word;

/** Starts over a text, which must stay as long as its words are read. */
heed_words heed_words_of(const char *text, size_t bytes, bool cased);

/** The next word; false after the last. */
bool heed_words_next(heed_words *words, heed_word *word);

/** Where a long text may be cut so that the words of its parts are those of the whole: at white space, else beside punctuation or an
 *  ideograph, else (a word as long as the text) between two characters. */
size_t heed_words_cut(const char *text, size_t bytes);

#endif
