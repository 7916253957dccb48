/* Maps as base64: decoded again they are what was packed, within what is promised. */
#include "inspect/packed.h"

#include <math.h>
#include <string.h>

#include "inspect/decode.h"
#include "reference/numbers.h"
#include "test.h"

enum { MAPS = 2 };

static float *random_maps(int64_t tokens, bool causal) {
  float *maps = test_floats(MAPS * tokens * tokens);
  for (int64_t i = 0; i < MAPS * tokens * tokens; i++) {
    double x = 0.5 + 0.5 * test_number(1, i);
    maps[i] = causal && i % tokens > i / tokens % tokens ? 0 : (float)(x * x * x * x);
  }
  maps[0] = 1;
  maps[tokens] = 0;
  return maps;
}

static void maps_come_back(void) {
  for (int64_t tokens = 1; tokens <= 6; tokens++) /* all lengths modulo 3 */
    for (int bits = 8; bits <= 16; bits += 8)
      for (int causal = 0; causal < 2; causal++) {
        const float *maps = random_maps(tokens, causal);
        double *back = test_doubles(tokens * tokens), highest = bits == 16 ? 65535 : 255;
        char *text;
        size_t bytes;
        FILE *out = open_memstream(&text, &bytes);
        CU_ASSERT_EQUAL_FATAL(heed_packed_maps(out, maps, MAPS, tokens, causal, bits), HEED_OK);
        fclose(out);
        const char *at = text;
        for (int64_t m = 0; m < MAPS; m++) {
          at = decode_map(back, at, tokens, causal, bits);
          CU_ASSERT_PTR_NOT_NULL_FATAL(at);
          for (int64_t i = 0; i < tokens * tokens; i++) {
            double weight = (double)maps[m * tokens * tokens + i];
            CU_ASSERT(fabs(back[i] - weight) <= (sqrt(weight) + ldexp(1, -bits - 1)) / highest + 1e-15);
            CU_ASSERT((weight != 0 && weight != 1) || back[i] == weight);
          }
        }
        CU_ASSERT_EQUAL(at, text + bytes);
        free(text);
      }
  test_release();
}

static void many_weights_take_fewer_bits(void) {
  CU_ASSERT_EQUAL(heed_packed_bits(12 * 13 * 128 * 128), 16);
  CU_ASSERT_EQUAL(heed_packed_bits(12 * 13 * 512 * 512), 8);
}

HEED_TESTS({"maps come back", maps_come_back}, {"many weights take fewer bits", many_weights_take_fewer_bits})
