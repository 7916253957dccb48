#include "inspect/packed.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_AT_16_BITS = 4000000 };

int heed_packed_bits(int64_t weights) {
  return weights <= MOST_AT_16_BITS ? 16 : 8;
}

/* The bytes of a map's levels; returns their number. */
static size_t pack(unsigned char *bytes, const float *map, int64_t tokens, bool causal, int bits) {
  double highest = bits == 16 ? 65535 : 255;
  size_t count = 0;
  for (int64_t q = 0; q < tokens; q++)
    for (int64_t k = 0; k < (causal ? q + 1 : tokens); k++) {
      double weight = fmin(fmax((double)map[q * tokens + k], 0), 1);
      unsigned level = (unsigned)lround(sqrt(weight) * highest);
      bytes[count++] = level & 0xFF;
      if (bits == 16)
        bytes[count++] = (unsigned char)(level >> 8);
    }
  return count;
}

/* RFC 4648, section 4; room for two bytes behind the last is there. */
static void print_base64(FILE *out, unsigned char *bytes, size_t count) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  bytes[count] = bytes[count + 1] = 0;
  for (size_t i = 0; i < count; i += 3) {
    unsigned three = (unsigned)bytes[i] << 16 | (unsigned)bytes[i + 1] << 8 | bytes[i + 2];
    char four[4] = {letters[three >> 18], letters[three >> 12 & 63], i + 1 < count ? letters[three >> 6 & 63] : '=',
                    i + 2 < count ? letters[three & 63] : '='};
    fwrite(four, 1, sizeof four, out);
  }
  fputc('\n', out);
}

heed_status heed_packed_maps(FILE *out, const float *maps, int64_t count, int64_t tokens, bool causal, int bits) {
  unsigned char *bytes = malloc((size_t)(tokens * tokens * bits / 8) + 2);
  if (!bytes)
    return heed_error(HEED_FAILED, "out of memory for a map of %lld tokens", (long long)tokens);
  for (int64_t i = 0; i < count; i++)
    print_base64(out, bytes, pack(bytes, maps + i * tokens * tokens, tokens, causal, bits));
  free(bytes);
  return HEED_OK;
}
