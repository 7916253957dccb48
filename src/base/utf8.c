#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

int heed_utf8_read(const unsigned char *at, const unsigned char *end, int32_t *code) {
  unsigned char lead = at[0], low = 0x80, high = 0xBF; /* bounds of the second byte: they keep out overlong forms and surrogates */
  int length, taken;
  *code = -1;
  if (lead < 0x80) {
    *code = lead;
    return 1;
  }
  if (lead < 0xC2 || lead > 0xF4)
    return 1;
  length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (lead == 0xE0)
    low = 0xA0;
  else if (lead == 0xED)
    high = 0x9F;
  else if (lead == 0xF0)
    low = 0x90;
  else if (lead == 0xF4)
    high = 0x8F;
  int32_t value = lead & (0x7F >> length);
  for (taken = 1; taken < length; taken++, low = 0x80, high = 0xBF) {
    if (at + taken >= end || at[taken] < low || at[taken] > high)
      return taken;
    value = value << 6 | (at[taken] & 0x3F);
  }
  *code = value;
  return length;
}

int heed_utf8_write(char *out, int32_t code) {
  uint32_t c = (uint32_t)code;
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  int length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  for (int i = length - 1; i > 0; i--, c >>= 6)
    out[i] = (char)(0x80 | (c & 0x3F));
  out[0] = (char)((0xF00u >> length) | c);
  return length;
}

int64_t heed_utf8_count_invalid(const char *text, size_t bytes) {
  const unsigned char *at = (const unsigned char *)text, *end = at + bytes;
  int64_t invalid = 0;
  while (at < end) {
    uint64_t eight;
    if (end - at >= 8 && (memcpy(&eight, at, 8), (eight & 0x8080808080808080u) == 0)) { /* most text is ASCII */
      at += 8;
      continue;
    }
    int32_t code;
    at += heed_utf8_read(at, end, &code);
    invalid += code < 0;
  }
  return invalid;
}

bool heed_utf8_is_valid(const char *text, size_t bytes) {
  return heed_utf8_count_invalid(text, bytes) == 0;
}

char *heed_utf8_repair(const char *text, size_t *bytes) {
  const unsigned char *at = (const unsigned char *)text, *end = at + *bytes;
  char *copy = malloc(3 * *bytes + 1), *out = copy;
  while (copy && at < end) {
    int32_t code;
    int length = heed_utf8_read(at, end, &code);
    if (code < 0) {
      out += heed_utf8_write(out, 0xFFFD);
    } else {
      memcpy(out, at, (size_t)length);
      out += length;
    }
    at += length;
  }
  if (copy) {
    *out = 0;
    *bytes = (size_t)(out - copy);
  }
  return copy;
}
