/** What splitting text into words asks of a character beyond ASCII, answered as Hugging Face's `tokenizers` answers it.
 *
 *  Its ids are what models were trained with, and its answers come of four Unicode versions: categories of 8.0, decomposition and
 *  canonical order of 9.0, lower case and white space of 17.0.  A character younger than 8.0 is a letter there whatever it is today.
 *  utf8proc (15.0 or newer) knows all of them; where the two differ, the table unicode_exceptions.h stands before it. */
#ifndef HEED_DATA_CHARACTERS_H
#define HEED_DATA_CHARACTERS_H

#include <stdint.h>

typedef enum heed_character_class {
  HEED_DROPPED,     /**< U+FFFD, Cc, Cf, Co: cleaning takes it out */
  HEED_SPACE,       /**< Zs, Zl, Zp */
  HEED_IDEOGRAPH,   /**< CJK, by its blocks: a word of its own */
  HEED_PUNCTUATION, /**< every P* category: a word of its own */
  HEED_MARK,        /**< Mn: dropped from uncased text */
  HEED_LETTER,      /**< all others, unassigned ones too */
} heed_character_class;

/** The most code points of a full canonical decomposition is 4 (Unicode's stability policy bounds it); utf8proc asks for room. */
enum { HEED_DECOMPOSED = 16 };

/** The class of a code point ≥ 128. */
heed_character_class heed_character_class_of(int32_t code);

/** The canonical decomposition (NFD) of a code point ≥ 128, its characters in lower case.  Returns their number, at least 1. */
int heed_character_decompose(int32_t code, int32_t out[HEED_DECOMPOSED]);

/** The canonical combining class: 0 for what other characters do not move across. */
int heed_character_order(int32_t code);

#endif
