/** GPT-2's alphabet: a character for each byte, so that tokens of bytes can be written as text.
 *
 *  Bytes that print (33–126, 161–172, 174–255) are the character of that number, the others, in order, U+0100, U+0101, …: a space is Ġ.
 *  Source: openai/gpt-2, encoder.py, bytes_to_unicode. */
#ifndef HEED_DATA_BYTE_ALPHABET_H
#define HEED_DATA_BYTE_ALPHABET_H

#include <stddef.h>
#include <stdint.h>

/** The character of a byte: below U+0144, so at most 2 bytes of UTF-8. */
int32_t heed_byte_character(unsigned char byte);

/** The byte of a character, −1 for one that is not of the alphabet. */
int heed_byte_of_character(int32_t code);

/** Writes characters as bytes; `out` has room for `length`.  A text with another character in it stands for itself.  Returns the number
 *  of bytes. */
size_t heed_characters_to_bytes(char *out, const char *text, size_t length);

#endif
