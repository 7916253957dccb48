#include "data/byte_alphabet.h"

#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

enum { MOVED = 0x100 }; /* the first character of the bytes that do not print: 0–32, 127–160, 173 */

static bool prints(int32_t code) {
  return (code >= 33 && code <= 126) || (code >= 161 && code <= 172) || (code >= 174 && code <= 255);
}

int32_t heed_byte_character(unsigned char byte) {
  if (prints(byte))
    return byte;
  return byte <= 32 ? MOVED + byte : byte <= 160 ? MOVED + 33 + byte - 127 : MOVED + 67;
}

int heed_byte_of_character(int32_t code) {
  int32_t moved = code - MOVED;
  if (code >= 0 && prints(code))
    return (int)code;
  if (moved < 0 || moved > 67)
    return -1;
  return (int)(moved <= 32 ? moved : moved <= 66 ? moved - 33 + 127 : 173);
}

size_t heed_characters_to_bytes(char *out, const char *text, size_t length) {
  const unsigned char *at = (const unsigned char *)text, *end = at + length;
  size_t count = 0;
  while (at < end) {
    int32_t code;
    at += heed_utf8_read(at, end, &code);
    int byte = heed_byte_of_character(code);
    if (byte < 0) {
      memcpy(out, text, length);
      return length;
    }
    out[count++] = (char)byte;
  }
  return count;
}
