/** Maps of a page, decoded as its script does. */
#ifndef HEED_TESTS_INSPECT_DECODE_H
#define HEED_TESTS_INSPECT_DECODE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/** One line of base64 into map[tokens, tokens].  Returns the start of the next line, NULL when the line is not as it should be. */
static inline const char *decode_map(double *map, const char *line, int64_t tokens, bool causal, int bits) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static unsigned char bytes[1 << 16];
  int64_t values = causal ? tokens * (tokens + 1) / 2 : tokens * tokens, wanted = values * bits / 8, count = 0;
  int64_t length = (int64_t)strcspn(line, "\n");
  if (length != (wanted + 2) / 3 * 4 || line[length] != '\n' || wanted + 3 > (int64_t)sizeof bytes)
    return NULL;
  for (int64_t i = 0; i < length; i += 4) {
    unsigned three = 0;
    for (int64_t j = i; j < i + 4; j++) {
      const char *letter = strchr(letters, line[j]);
      if (!letter && line[j] != '=')
        return NULL;
      three = three << 6 | (letter ? (unsigned)(letter - letters) : 0);
    }
    for (int shift = 16; shift >= 0; shift -= 8)
      bytes[count++] = three >> shift & 0xFF;
  }
  const unsigned char *at = bytes;
  for (int64_t q = 0; q < tokens; q++)
    for (int64_t k = 0; k < tokens; k++) {
      double level = 0;
      if (!causal || k <= q) {
        level = *at++;
        if (bits == 16)
          level += 256.0 * *at++;
      }
      double root = level / (bits == 16 ? 65535 : 255);
      map[q * tokens + k] = root * root;
    }
  return line + length + 1;
}

#endif
