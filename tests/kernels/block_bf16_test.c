/* Blocks and panels of bf16, and the rounding to it. */
#define HEED_ELEMENT_BF16
#include "kernels/block_check.h"

/* To the nearest, ties to even; into infinity from half a unit above the largest; signs of zeros stay, and NaN is NaN. */
static void rounding(void) {
  static const struct {
    uint32_t from;
    uint16_t to;
  } cases[] = {
      {0x3F800000, 0x3F80}, {0x3F807FFF, 0x3F80}, {0x3F808000, 0x3F80}, {0x3F808001, 0x3F81}, {0x3F818000, 0x3F82}, {0x3F817FFF, 0x3F81},
      {0xBF808000, 0xBF80}, {0xBF818000, 0xBF82}, {0x3FFFFFFF, 0x4000}, {0x7F7F7FFF, 0x7F7F}, {0x7F7F8000, 0x7F80}, {0xFF7FFFFF, 0xFF80},
      {0x7F800000, 0x7F80}, {0xFF800000, 0xFF80}, {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x00800000, 0x0080},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    CU_ASSERT_EQUAL(heed_bf16_of(heed_float_of(cases[i].from)), cases[i].to);
  static const uint32_t nans[] = {0x7F800001, 0x7FC00000, 0x7FFFFFFF, 0xFF800001, 0xFFFFFFFF, 0x7F80FFFF};
  for (size_t i = 0; i < sizeof nans / sizeof *nans; i++)
    CU_ASSERT(isnan(heed_float_of_bf16(heed_bf16_of(heed_float_of(nans[i])))));
  for (uint32_t upper = 0; upper < 65536; upper++) { /* what is a bf16 stays it */
    float value = heed_float_of_bf16((uint16_t)upper);
    CU_ASSERT_FATAL(isnan(value) || heed_bf16_of(value) == upper);
  }
}

/* Runs of elements are rounded as one alone. */
static void runs(void) {
  enum { COUNT = 77 };
  float x[COUNT];
  heed_element y[COUNT];
  for (int64_t count = 0; count <= COUNT; count++) {
    for (int64_t i = 0; i < count; i++)
      x[i] = (float)test_number(1, i);
    heed_elements(y, x, count);
    for (int64_t i = 0; i < count; i++)
      CU_ASSERT_FATAL(y[i] == heed_bf16_of(x[i]));
  }
}

HEED_TESTS({"rounding to bf16", rounding}, {"in runs", runs}, {"products are the plain sums, whatever lies around", products},
           {"bits of a row do not depend on its block", bits})
