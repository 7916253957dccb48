/** UTF-8, a character at a time.  Ill-formed bytes are part of the world: they are told, never trusted. */
#ifndef HEED_BASE_UTF8_H
#define HEED_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Reads the character at `at` (at < end).  Returns the bytes taken, at least 1.
 *  \param[out] code  the code point, or −1 for an ill-formed sequence, which is as long as what one U+FFFD replaces
 *  (Unicode 15, section 3.9, "maximal subpart"). */
int heed_utf8_read(const unsigned char *at, const unsigned char *end, int32_t *code);

/** Writes a code point, at most 4 bytes; returns their number. */
int heed_utf8_write(char *out, int32_t code);

/** Whether the text is well-formed. */
bool heed_utf8_is_valid(const char *text, size_t bytes);

/** Ill-formed sequences in the text: how many U+FFFD would stand in their places. */
int64_t heed_utf8_count_invalid(const char *text, size_t bytes);

/** A copy with U+FFFD for each ill-formed sequence, and a zero behind it.  The caller frees it; NULL when memory is short.
 *  \param[in,out] bytes  of the text, of the copy */
char *heed_utf8_repair(const char *text, size_t *bytes);

#endif
