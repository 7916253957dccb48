/** Private to kernels/: block.h for floats. */
#ifndef HEED_KERNELS_BLOCK_FP32_H
#define HEED_KERNELS_BLOCK_FP32_H

#include "kernels/lanes16.h"

/** Sums of so many rows by HEED_SPAN columns fit the registers together with what they are made of; and of fewer, for what is left. */
#ifdef __AVX512F__
enum { HEED_MICRO = 12, HEED_SOME = 8, HEED_FEW = 4, HEED_ABREAST = 2, HEED_MICRO_ABREAST = 6, HEED_FEW_ABREAST = 2 };
#else
enum { HEED_MICRO = 6, HEED_SOME = 4, HEED_FEW = 2, HEED_ABREAST = 1 };
#endif

/** Elements that heed_left_rows takes: none, rows are read where they lie. */
static inline int64_t heed_rows_room(int64_t rows, int64_t depth) {
  (void)rows, (void)depth;
  return 0;
}

/** a[r, d] = from[r · stride + d]. */
static inline heed_left heed_left_rows(float *room, const float *from, int64_t stride, int64_t rows, int64_t depth) {
  (void)room, (void)rows, (void)depth;
  return (heed_left){from, HEED_BLOCK * stride, stride, 1};
}

/** Copies `depth` rows of `count` floats, `stride` apart, to rows of `width`; the rest becomes 0.  `width` is a constant where it is
 * called, so that a whole row is a few registers. */
static inline __attribute__((always_inline)) void heed_copy_rows(float *to, const float *from, int64_t stride, int64_t count, int64_t depth,
                                                                 const int64_t width) {
  if (count >= width) {
    for (int64_t d = 0; d < depth; d++)
#pragma omp simd
      for (int64_t i = 0; i < width; i++)
        to[d * width + i] = from[d * stride + i];
    return;
  }
  for (int64_t d = 0; d < depth; d++)
    for (int64_t i = 0; i < width; i++)
      to[d * width + i] = i < count ? from[d * stride + i] : 0.0f;
}

/** Lays out the block of rows that begins at row `row`: a[r, d] = from[d · stride + r]. */
static inline void heed_pack_left(float *room, const float *from, int64_t stride, int64_t row, int64_t rows, int64_t depth) {
  heed_copy_rows(room + row * depth, from + row, stride, rows - row, depth, HEED_BLOCK);
}

static inline heed_left heed_left_packed(const float *room, int64_t depth) {
  return (heed_left){room, HEED_BLOCK * depth, 1, HEED_BLOCK};
}

/** A panel of `columns` ≤ 32: b[d, c] = from[d · stride + c]. */
static inline void heed_pack_panel(float *panel, const float *from, int64_t stride, int64_t columns, int64_t depth) {
  heed_copy_rows(panel, from, stride, columns, depth, HEED_PANEL);
}

/** Likewise, b[d, c] = from[c · stride + d]. */
static inline void heed_pack_panel_turned(float *panel, const float *from, int64_t stride, int64_t columns, int64_t depth) {
  for (int64_t d = 0; d < depth; d += 16)
    for (int64_t half = 0; half < HEED_PANEL; half += 16) {
      heed_words row[16];
      int64_t count = heed_at_most(16, depth - d);
      heed_words_load(row, from + half * stride + d, stride * (int64_t)sizeof *from, columns - half, count * (int64_t)sizeof *from);
      heed_transpose(row);
      for (int64_t i = 0; i < count; i++)
        memcpy(panel + (d + i) * HEED_PANEL + half, &row[i], sizeof row[i]);
    }
}

/** Puts 16 columns (the first or the second half) of depths `even` and even + 1 into a panel. */
static inline void heed_panel_pair(float *panel, int64_t even, int64_t half, heed_lanes16 at_even, heed_lanes16 at_odd) {
  float *at = panel + even * HEED_PANEL + half * 16;
  memcpy(at, &at_even, sizeof at_even);
  memcpy(at + HEED_PANEL, &at_odd, sizeof at_odd);
}
/** Puts 32 places of depth, from `deep` on, of row `row` into a block whose rows are `depth` apart. */
static inline void heed_left_row(float *block, int64_t depth, int64_t row, int64_t deep, heed_lanes16 low, heed_lanes16 high) {
  memcpy(block + row * depth + deep, &low, sizeof low);
  memcpy(block + row * depth + deep + 16, &high, sizeof high);
}
/** Such a block as a left factor. */
static inline heed_left heed_left_block(const float *block, int64_t depth) {
  return (heed_left){block, HEED_BLOCK * depth, depth, 1};
}

static inline void heed_pack_weights(float *panel, const float *from, int64_t stride, int64_t columns, int64_t depth) {
  heed_pack_panel(panel, from, stride, columns, depth);
}
static inline void heed_pack_weights_turned(float *panel, const float *from, int64_t stride, int64_t columns, int64_t depth) {
  heed_pack_panel_turned(panel, from, stride, columns, depth);
}

/** c[rows, HEED_SPAN] of one group of rows by those columns of each of `panels` panels, `apart` floats from one to the next; those of c are
 * HEED_BLOCK rows apart.  `rows`, `panels` and `add` are constants where it is called. */
static inline __attribute__((always_inline)) void heed_micro(float *c, const float *a, int64_t row, int64_t deep, const float *panel,
                                                             int64_t apart, int64_t depth, const int rows, const int panels,
                                                             const bool add) {
  heed_vector sum[HEED_MICRO][2 * HEED_ABREAST];
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int p = 0; p < 2 * panels; p++) /* one by one: all at once they would stand in memory */
      sum[r][p] = add ? *heed_micro_at(c, r, p) : (heed_vector){0};
#pragma GCC unroll 2
  for (int64_t d = 0; d < depth; d++, panel += HEED_PANEL) {
    heed_vector column[2 * HEED_ABREAST];
#pragma GCC unroll 4
    for (int p = 0; p < 2 * panels; p++) {
      const float *at = panel + p / 2 * apart + p % 2 * HEED_VECTOR;
      if (p % 2 * HEED_VECTOR % HEED_LANES == 0) /* once a cache line */
        __builtin_prefetch(at + 8 * HEED_PANEL); /* measured: a panel comes from the second cache, 8 rows ahead are in time */
      column[p] = *(const heed_vector *)at;
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
      heed_vector x = heed_vector_of(a[r * row + d * deep]);
#pragma GCC unroll 4
      for (int p = 0; p < 2 * panels; p++)
        sum[r][p] = heed_vector_fma(x, column[p], sum[r][p]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int p = 0; p < 2 * panels; p++)
      *heed_micro_at(c, r, p) = sum[r][p];
}

static inline void heed_blocks_begin(void) {
}
static inline void heed_blocks_end(void) {
}

/** c[rows, HEED_SPAN] of a block. */
static inline __attribute__((always_inline)) void heed_span_sum(float *c, const float *a, int64_t row, int64_t deep, int64_t rows,
                                                                const float *panel, int64_t depth, const bool add) {
  int64_t r = 0;
  for (; r + HEED_MICRO <= rows && r + 2 * HEED_SOME != rows; r += HEED_MICRO) /* 16 are two times 8, 8 two times 4 */
    heed_micro(c + r * HEED_PANEL, a + r * row, row, deep, panel, 0, depth, HEED_MICRO, 1, add);
  for (; r + HEED_SOME <= rows; r += HEED_SOME)
    heed_micro(c + r * HEED_PANEL, a + r * row, row, deep, panel, 0, depth, HEED_SOME, 1, add);
  for (; r + HEED_FEW <= rows; r += HEED_FEW)
    heed_micro(c + r * HEED_PANEL, a + r * row, row, deep, panel, 0, depth, HEED_FEW, 1, add);
  for (; r < rows; r++)
    heed_micro(c + r * HEED_PANEL, a + r * row, row, deep, panel, 0, depth, 1, 1, add);
}

static inline __attribute__((always_inline)) void heed_block_sum(float *c, const heed_left *a, int64_t first, int64_t rows,
                                                                 const float *panel, int64_t depth, const bool add) {
  for (int64_t column = 0; column < HEED_PANEL; column += HEED_SPAN)
    heed_span_sum(c + column, a->at + first / HEED_BLOCK * a->block, a->row, a->deep, rows, panel + column, depth, add);
}

#ifdef __AVX512F__
/** Two panels. */
static inline void heed_block_pair(float *c, const heed_left *a, int64_t first, int64_t rows, const float *panel, int64_t apart,
                                   int64_t depth) {
  const float *at = a->at + first / HEED_BLOCK * a->block;
  int64_t r = 0;
  for (; r + HEED_MICRO_ABREAST <= rows; r += HEED_MICRO_ABREAST)
    heed_micro(c + r * HEED_PANEL, at + r * a->row, a->row, a->deep, panel, apart, depth, HEED_MICRO_ABREAST, 2, false);
  for (; r + HEED_FEW_ABREAST <= rows; r += HEED_FEW_ABREAST)
    heed_micro(c + r * HEED_PANEL, at + r * a->row, a->row, a->deep, panel, apart, depth, HEED_FEW_ABREAST, 2, false);
  for (; r < rows; r++)
    heed_micro(c + r * HEED_PANEL, at + r * a->row, a->row, a->deep, panel, apart, depth, 1, 2, false);
}
#endif

#endif
