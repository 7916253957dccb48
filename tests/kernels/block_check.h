/* Packing and products of blocks against the plain sum, for the kind of element and the instruction level that this is compiled with.
 * Included once by a test of each kind (block_test.c, block_bf16_test.c). */
#pragma GCC diagnostic ignored "-Wpsabi" /* vectors wider than this level's registers stay within the file */
#define HEED_LEVEL test
#include "kernels/block.h"
#include "reference/numbers.h"
#include "test.h"

/* Of rows, columns and depth: around each size of a block, a panel, a step and a vector; and depths that are taken in parts. */
static const int64_t sizes[] = {1, 2, 5, 12, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 64, 65, 100}, deep_sizes[] = {255, 256, 257, 520};
enum { SIZES = sizeof sizes / sizeof *sizes, DEEP_SIZES = sizeof deep_sizes / sizeof *deep_sizes, MOST = 100, STRIDE = 547 };

static float element_noise(uint32_t which, int64_t i) {
  return heed_value_of(heed_element_of((float)test_number(which, i)));
}

/** rows · columns of values within rows of STRIDE, all else NaN: what nobody may use. */
static heed_element *amid_nan(uint32_t which, int64_t rows, int64_t columns) {
  heed_element *x = test_memory((rows + 1) * STRIDE, sizeof *x);
  memset(x, 0xFF, (size_t)((rows + 1) * STRIDE) * sizeof *x);
  for (int64_t r = 0; r < rows; r++)
    for (int64_t c = 0; c < columns; c++)
      x[r * STRIDE + c] = heed_element_of(element_noise(which, r * STRIDE + c));
  return x;
}
static float *floats_amid_nan(uint32_t which, int64_t rows, int64_t columns) {
  float *x = test_floats((rows + 1) * STRIDE);
  for (int64_t i = 0; i < (rows + 1) * STRIDE; i++)
    x[i] = i % STRIDE < columns && i / STRIDE < rows ? element_noise(which, i) : NAN;
  return x;
}

static heed_element *room_of(int64_t elements) {
  heed_element *room = test_memory(elements, sizeof *room);
  return memset(room, 0xFF, (size_t)elements * sizeof *room);
}

enum form { ROWS_LIE, ROWS_TURNED, FORMS };
enum panel { PLAIN, TURNED, WEIGHTS, WEIGHTS_TURNED, PANELS };

/** The left factor of rows · depth; `value` gets it as floats. */
static heed_left left_of(enum form form, int64_t rows, int64_t depth, float *value) {
  bool turned = form == ROWS_TURNED;
  const heed_element *x = turned ? amid_nan(1, depth, rows) : amid_nan(1, rows, depth);
  heed_element *room = room_of(heed_left_room(rows, depth));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t d = 0; d < depth; d++)
      value[r * depth + d] = heed_value_of(turned ? x[d * STRIDE + r] : x[r * STRIDE + d]);
  if (!turned)
    return heed_left_rows(room, x, STRIDE, rows, depth);
  for (int64_t row = 0; row < rows; row += HEED_BLOCK)
    heed_pack_left(room, x, STRIDE, row, rows, depth);
  return heed_left_packed(room, depth);
}

static heed_element *panel_of(enum panel form, int64_t columns, int64_t depth, float *value) {
  bool turned = form == TURNED || form == WEIGHTS_TURNED, weights = form >= WEIGHTS;
  int64_t tall = turned ? columns : depth, wide = turned ? depth : columns;
  const heed_element *x = amid_nan(2, tall, wide);
  const float *w = floats_amid_nan(2, tall, wide);
  heed_element *panel = room_of(heed_panel_room(depth));
  for (int64_t d = 0; d < depth; d++)
    for (int64_t c = 0; c < columns; c++) {
      int64_t at = turned ? c * STRIDE + d : d * STRIDE + c;
      value[d * columns + c] = weights ? w[at] : heed_value_of(x[at]);
    }
  if (weights)
    (turned ? heed_pack_weights_turned : heed_pack_weights)(panel, w, STRIDE, columns, depth);
  else
    (turned ? heed_pack_panel_turned : heed_pack_panel)(panel, x, STRIDE, columns, depth);
  return panel;
}

/** Elements of c that are not the sum: in float each term and each partial sum is rounded by at most 2⁻²⁴ of the terms' sizes; columns
 *  beyond the panel's are 0. */
static int64_t wrong_in(const float *c, const float *a, const float *b, int64_t rows, int64_t columns, int64_t depth) {
  int64_t wrong = 0;
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < HEED_PANEL; i++) {
      double sum = 0.0, size = 0.0;
      for (int64_t d = 0; i < columns && d < depth; d++) {
        sum += (double)a[r * depth + d] * (double)b[d * columns + i];
        size += fabs((double)a[r * depth + d] * (double)b[d * columns + i]);
      }
      wrong += !(fabs((double)c[r * HEED_PANEL + i] - sum) <= size * (double)depth * 0x1p-23);
    }
  return wrong;
}

/** Of the product, of one added to zeros, and of half of one added to that. */
static int64_t wrong_product(enum form left, enum panel right, int64_t rows, int64_t columns, int64_t depth, bool broken) {
  float *a = test_floats(rows * depth), *b = test_floats(depth * columns), c[HEED_BLOCK * HEED_PANEL] __attribute__((aligned(64)));
  heed_left blocks = left_of(left, rows, depth, a);
  heed_element *panel = panel_of(right, columns, depth, b);
  int64_t wrong = 0;
  if (broken)
    b[0] += 0.01f;
  heed_blocks_begin();
  for (int64_t first = 0; first < rows; first += HEED_BLOCK) {
    int64_t count = heed_at_most(HEED_BLOCK, rows - first);
    memset(c, 0xFF, sizeof c);
    heed_block_product(c, &blocks, first, count, panel, depth);
    wrong += wrong_in(c, a + first * depth, b, count, columns, depth);
    for (int64_t i = 0; i < HEED_BLOCK * HEED_PANEL; i++)
      c[i] = 0.0f;
    heed_block_add(c, &blocks, first, count, panel, depth);
    wrong += wrong_in(c, a + first * depth, b, count, columns, depth);
    heed_block_add(c, &blocks, first, count, panel, depth);
    for (int64_t i = 0; i < count * HEED_PANEL; i++)
      c[i] *= 0.5f;
    wrong += wrong_in(c, a + first * depth, b, count, columns, depth);
  }
  heed_blocks_end();
  return wrong;
}

static void products(void) {
  int64_t wrong = 0;
  for (int form = 0; form < FORMS * PANELS; form++)
    for (int i = 0; i < SIZES; i++)
      for (int j = 0; j < SIZES; j++) {
        int64_t columns = 1 + (sizes[(i + 2 * j) % SIZES] - 1) % HEED_PANEL;
        wrong += wrong_product((enum form)(form % FORMS), (enum panel)(form / FORMS), sizes[i], columns, sizes[j], false);
        test_release();
      }
  for (int form = 0; form < FORMS * PANELS; form++)
    for (int i = 0; i < DEEP_SIZES; i++) {
      wrong += wrong_product((enum form)(form % FORMS), (enum panel)(form / FORMS), 31 + i, 30 + i % 3, deep_sizes[i], false);
      test_release();
    }
  CU_ASSERT_EQUAL(wrong, 0);
  CU_ASSERT(wrong_product(ROWS_LIE, PLAIN, 33, 20, 47, true) > 0); /* the test of the test */
  test_release();
}

/* A row's bits do not depend on the rows beside it, nor on how its block came to be. */
static void bits(void) {
  enum { DEPTH = 47 };
  float a[MOST * DEPTH], b[DEPTH * HEED_PANEL];
  heed_element *panel = panel_of(PLAIN, HEED_PANEL, DEPTH, b);
  float one[HEED_BLOCK * HEED_PANEL] __attribute__((aligned(64))), many[HEED_BLOCK * HEED_PANEL] __attribute__((aligned(64)));
  int64_t differ = 0;
  int mark = test_pool_count;
  for (int64_t rows = 1; rows <= HEED_BLOCK; rows++) {
    heed_left lying = left_of(ROWS_LIE, rows, DEPTH, a);
    heed_element *x = room_of(STRIDE), *turned = room_of(heed_left_room(rows, DEPTH)), *columns = room_of(DEPTH * STRIDE);
    for (int64_t i = 0; i < rows * DEPTH; i++)
      columns[i % DEPTH * STRIDE + i / DEPTH] = heed_element_of(a[i]);
    heed_pack_left(turned, columns, STRIDE, 0, rows, DEPTH);
    heed_left packed = heed_left_packed(turned, DEPTH);
    heed_blocks_begin();
    heed_block_product(many, &lying, 0, rows, panel, DEPTH);
    heed_block_product(one, &packed, 0, rows, panel, DEPTH);
    differ += memcmp(one, many, (size_t)(rows * HEED_PANEL) * sizeof *one) != 0;
    for (int64_t r = 0; r < rows; r++) {
      heed_elements(x, a + r * DEPTH, DEPTH);
      heed_left alone = heed_left_rows(room_of(heed_left_room(1, DEPTH)), x, STRIDE, 1, DEPTH);
      heed_block_product(one, &alone, 0, 1, panel, DEPTH);
      differ += memcmp(one, many + r * HEED_PANEL, HEED_PANEL * sizeof *one) != 0;
    }
    heed_blocks_end();
    test_release_to(mark);
  }
  CU_ASSERT_EQUAL(differ, 0);
  test_release();
}
