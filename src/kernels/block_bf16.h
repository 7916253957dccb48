/** Private to kernels/: block.h for bf16.
 *
 *  With AMX a block of 32 rows by 32 columns is four tiles of sums; AVX512-BF16 and the plain form walk the same tiles, a row of pairs, or
 * a part of one, at a time. */
#ifndef HEED_KERNELS_BLOCK_BF16_H
#define HEED_KERNELS_BLOCK_BF16_H

#include "kernels/lanes16.h"

enum { HEED_TILE_ROWS = 16, HEED_TILE_ELEMENTS = 512, HEED_ABREAST = 1 };

/** Two rows of 16 columns, at depth 2p and 2p + 1, as pairs. */
static inline heed_words heed_pairs(heed_words even, heed_words odd) {
  return even | odd << 16;
}

/** 16 elements as words; those from `count` on are 0. */
static inline __attribute__((always_inline)) heed_words heed_widen(const heed_element *from, int64_t count) {
  heed_element row[16] = {0};
  heed_words words;
  if (count < 16) {
    if (count > 0)
      memcpy(row, from, (size_t)count * sizeof *row);
    from = row;
  }
#ifdef __AVX512F__
  words = (heed_words)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)from));
#else
  for (int i = 0; i < 16; i++)
    words[i] = from[i];
#endif
  return words;
}

/** Sixteen bf16 pairs, and 32 bf16, of floats. */
#ifdef __AVX512BF16__
static inline heed_words heed_row_of(heed_lanes16 low, heed_lanes16 high) {
  return (heed_words)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}
static inline heed_words heed_pairs_of(heed_lanes16 even, heed_lanes16 odd) {
  const __m512i order = (__m512i)(heed_words){0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007,
                                              0x180008, 0x190009, 0x1A000A, 0x1B000B, 0x1C000C, 0x1D000D, 0x1E000E, 0x1F000F};
  return (heed_words)_mm512_permutexvar_epi16(order, (__m512i)heed_row_of(even, odd));
}
#else
/** In the upper halves; what the lower ones hold is of no meaning. */
static inline heed_words heed_rounded(heed_lanes16 x) {
  heed_words bits = (heed_words)x, no_number = (heed_words)((bits & 0x7FFFFFFF) > 0x7F800000);
  return ((bits + 0x7FFF + (bits >> 16 & 1)) & ~no_number) | ((bits | 0x400000) & no_number);
}
static inline heed_words heed_pairs_of(heed_lanes16 even, heed_lanes16 odd) {
  return heed_rounded(even) >> 16 | (heed_rounded(odd) & 0xFFFF0000);
}
static inline heed_words heed_row_of(heed_lanes16 low, heed_lanes16 high) {
  heed_words halves[2] = {heed_rounded(low), heed_rounded(high)}, row;
  heed_element elements[32];
  for (int i = 0; i < 32; i++)
    elements[i] = (heed_element)(halves[i / 16][i % 16] >> 16);
  memcpy(&row, elements, sizeof row);
  return row;
}
#endif

/** Puts 16 columns (the first or the second half) of depths `even` and even + 1 into a panel. */
static inline void heed_panel_pair(heed_element *panel, int64_t even, int64_t half, heed_lanes16 at_even, heed_lanes16 at_odd) {
  heed_words pairs = heed_pairs_of(at_even, at_odd);
  memcpy(panel + even / HEED_STEP * (2 * HEED_TILE_ELEMENTS) + half * HEED_TILE_ELEMENTS + even % HEED_STEP * 16, &pairs, sizeof pairs);
}
/** Puts 32 places of depth, from `deep` on, of row `row` into a block. */
static inline void heed_left_row(heed_element *block, int64_t depth, int64_t row, int64_t deep, heed_lanes16 low, heed_lanes16 high) {
  (void)depth;
  heed_words elements = heed_row_of(low, high);
  memcpy(block + deep * HEED_BLOCK + row * HEED_STEP, &elements, sizeof elements);
}
/** Such a block as a left factor. */
static inline heed_left heed_left_block(const heed_element *block, int64_t depth) {
  return (heed_left){.at = block, .block = HEED_BLOCK * depth, .deep = HEED_BLOCK};
}

/** Lays out one block: a[r, d] = from[r · stride + d], rows ≤ 32.  Row by row: memory is read in its order. */
static inline void heed_pack_rows(heed_element *block, const heed_element *from, int64_t stride, int64_t rows, int64_t depth) {
  const int64_t whole = depth / HEED_STEP * HEED_STEP;
  for (int64_t r = 0; r < HEED_BLOCK; r++) {
    heed_element *at = block + r * HEED_STEP;
    const heed_element *row = from + r * stride;
    for (int64_t d = 0; d < whole; d += HEED_STEP, at += 2 * HEED_TILE_ELEMENTS) { /* a constant count: one register */
      if (r < rows)
        memcpy(at, row + d, HEED_STEP * sizeof *at);
      else
        memset(at, 0, HEED_STEP * sizeof *at);
    }
    if (whole < depth) {
      memset(at, 0, HEED_STEP * sizeof *at);
      if (r < rows)
        memcpy(at, row + whole, (size_t)(depth - whole) * sizeof *at);
    }
  }
}

/** Elements that heed_left_rows takes. */
static inline int64_t heed_rows_room(int64_t rows, int64_t depth) {
  return heed_left_room(rows, depth);
}

/** a[r, d] = from[r · stride + d], laid out in `room`. */
static inline heed_left heed_left_rows(heed_element *room, const heed_element *from, int64_t stride, int64_t rows, int64_t depth) {
  int64_t block = HEED_BLOCK * heed_in_steps(depth);
  for (int64_t r = 0; r < rows; r += HEED_BLOCK)
    heed_pack_rows(room + r / HEED_BLOCK * block, from + r * stride, stride, heed_at_most(HEED_BLOCK, rows - r), depth);
  return (heed_left){.at = room, .block = block, .deep = HEED_BLOCK};
}

/** Lays out the block of rows that begins at row `row`: a[r, d] = from[d · stride + r]. */
static inline void heed_pack_left(heed_element *room, const heed_element *from, int64_t stride, int64_t row, int64_t rows, int64_t depth) {
  heed_element *tile = room + row * heed_in_steps(depth);
  for (int64_t d = 0; d < depth; d += HEED_STEP)
    for (int64_t half = 0; half < HEED_BLOCK; half += HEED_TILE_ROWS, tile += HEED_TILE_ELEMENTS) {
      heed_words pairs[16];
      int64_t first = row + half, count = rows - first;
      for (int64_t p = 0; p < 16; p++) {
        int64_t even = d + 2 * p;
        const heed_element *at = from + even * stride + first;
        pairs[p] = heed_pairs(heed_widen(at, even < depth ? count : 0), heed_widen(at + stride, even + 1 < depth ? count : 0));
      }
      heed_transpose(pairs);
      memcpy(tile, pairs, sizeof pairs);
    }
}

static inline heed_left heed_left_packed(const heed_element *room, int64_t depth) {
  return (heed_left){.at = room, .block = HEED_BLOCK * heed_in_steps(depth), .deep = HEED_BLOCK};
}

/** A panel of `columns` ≤ 32: b[d, c] = from[d · stride + c]. */
static inline void heed_pack_panel(heed_element *panel, const heed_element *from, int64_t stride, int64_t columns, int64_t depth) {
  for (int64_t d = 0; d < depth; d += HEED_STEP)
    for (int64_t half = 0; half < HEED_PANEL; half += 16, panel += HEED_TILE_ELEMENTS)
      for (int64_t p = 0; p < 16; p++) {
        int64_t even = d + 2 * p;
        const heed_element *at = from + even * stride + half;
        heed_words pairs =
            heed_pairs(heed_widen(at, even < depth ? columns - half : 0), heed_widen(at + stride, even + 1 < depth ? columns - half : 0));
        memcpy(panel + p * 32, &pairs, sizeof pairs);
      }
}

/** Likewise, b[d, c] = from[c · stride + d]. */
static inline void heed_pack_panel_turned(heed_element *panel, const heed_element *from, int64_t stride, int64_t columns, int64_t depth) {
  for (int64_t d = 0; d < depth; d += HEED_STEP) {
    int64_t count = heed_at_most(HEED_STEP, depth - d);
    for (int64_t half = 0; half < HEED_PANEL; half += 16, panel += HEED_TILE_ELEMENTS) {
      heed_words row[16];
      heed_words_load(row, from + half * stride + d, stride * (int64_t)sizeof *from, columns - half, count * (int64_t)sizeof *from);
      heed_transpose(row);
      memcpy(panel, row, sizeof row);
    }
  }
}

/** Panels of weights, which are floats: converted on the way, a step of depth at a time; whole ones in registers. */
static inline void heed_pack_weights(heed_element *panel, const float *from, int64_t stride, int64_t columns, int64_t depth) {
  heed_element part[HEED_STEP * HEED_PANEL];
  for (int64_t d = 0; d < depth; d += HEED_STEP, panel += 2 * HEED_TILE_ELEMENTS) {
    int64_t count = heed_at_most(HEED_STEP, depth - d);
    const float *at = from + d * stride;
    if (count == HEED_STEP && columns == HEED_PANEL) {
      for (int64_t even = 0; even < HEED_STEP; even += 2, at += 2 * stride)
        for (int64_t half = 0; half < 2; half++)
          heed_panel_pair(panel, even, half, heed_lanes16_at(at + half * 16), heed_lanes16_at(at + stride + half * 16));
      continue;
    }
    for (int64_t r = 0; r < count; r++)
      heed_elements(part + r * HEED_PANEL, at + r * stride, columns);
    heed_pack_panel(panel, part, HEED_PANEL, columns, count);
  }
}

static inline void heed_pack_weights_turned(heed_element *panel, const float *from, int64_t stride, int64_t columns, int64_t depth) {
  heed_element part[HEED_STEP * HEED_PANEL];
  for (int64_t d = 0; d < depth; d += HEED_STEP, panel += 2 * HEED_TILE_ELEMENTS) {
    int64_t count = heed_at_most(HEED_STEP, depth - d);
    const float *at = from + d;
    if (count == HEED_STEP && columns == HEED_PANEL) {
      for (int64_t half = 0; half < 2; half++, at += 16 * stride) {
        heed_words row[16];
#pragma GCC unroll 16
        for (int64_t c = 0; c < 16; c++)
          row[c] = heed_row_of(heed_lanes16_at(at + c * stride), heed_lanes16_at(at + c * stride + 16));
        heed_transpose(row);
        memcpy(panel + half * HEED_TILE_ELEMENTS, row, sizeof row);
      }
      continue;
    }
    for (int64_t c = 0; c < columns; c++)
      heed_elements(part + c * HEED_STEP, at + c * stride, count);
    heed_pack_panel_turned(panel, part, HEED_STEP, columns, count);
  }
}

#ifdef __AMX_BF16__
/** The shape of every tile: 16 rows of 64 bytes.  In memory of its own: GCC 12 does not see that loading it reads it all. */
static const struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} heed_tiles = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

/** Before a thread's first product of a kernel, and after its last: tiles in use make every switch of threads dearer. */
static inline void heed_blocks_begin(void) {
  _tile_loadconfig(&heed_tiles);
}
static inline void heed_blocks_end(void) {
  _tile_release();
}

/** All HEED_BLOCK rows are written. */
static inline __attribute__((always_inline)) void heed_block_sum(float *c, const heed_left *a, int64_t first, int64_t rows,
                                                                 const heed_element *panel, int64_t depth, const bool add) {
  enum { ROW = HEED_PANEL * sizeof *c };
  (void)rows;
  const heed_element *block = a->at + first / HEED_BLOCK * a->block;
  __asm__ volatile("" ::: "memory"); /* GCC 12 does not see what loading a tile reads */
  if (add) {
    _tile_loadd(0, c, ROW);
    _tile_loadd(1, c + 16, ROW);
    _tile_loadd(2, c + 16 * HEED_PANEL, ROW);
    _tile_loadd(3, c + 16 * HEED_PANEL + 16, ROW);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t d = 0; d < depth; d += HEED_STEP, block += 2 * HEED_TILE_ELEMENTS, panel += 2 * HEED_TILE_ELEMENTS) {
    _tile_loadd(6, panel, 64);
    _tile_stream_loadd(4, block, 64); /* streamed: the panel is what should stay in the first cache */
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, panel + HEED_TILE_ELEMENTS, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_stream_loadd(5, block + HEED_TILE_ELEMENTS, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, ROW);
  _tile_stored(1, c + 16, ROW);
  _tile_stored(2, c + 16 * HEED_PANEL, ROW);
  _tile_stored(3, c + 16 * HEED_PANEL + 16, ROW);
}
#else
static inline void heed_blocks_begin(void) {
}
static inline void heed_blocks_end(void) {
}

typedef uint32_t heed_vector_words __attribute__((vector_size(sizeof(heed_vector))));

/** Two elements in all places. */
static inline heed_vector_words heed_spread(const heed_element *from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  heed_vector_words words = word - (heed_vector_words){0};
#if defined(__SSE2__) && !defined(__AVX512BF16__)
  __asm__("" : "+v"(words)); /* GCC 12 would take the word apart before it spreads the halves, on its way through other registers */
#endif
  return words;
}

/** Sums of so many rows by HEED_SPAN columns fit the registers together with what they are made of. */
#ifdef __AVX512F__
enum { HEED_MICRO = 8 };
#else
enum { HEED_MICRO = 4 };
#endif

/** sum[r] += x₀·b₀ + x₁·b₁ of two vectors of columns: a pair of places in depth. */
static inline __attribute__((always_inline)) void heed_micro_pair(heed_vector sum[HEED_MICRO][2], const heed_element *rows,
                                                                  const heed_element *low, const heed_element *high) {
  heed_vector_words pairs[2];
  memcpy(&pairs[0], low, sizeof pairs[0]);
  memcpy(&pairs[1], high, sizeof pairs[1]);
#ifdef __AVX512BF16__
#pragma GCC unroll 8
  for (int r = 0; r < HEED_MICRO; r++) {
    heed_vector_words x = heed_spread(rows + r * HEED_STEP);
    sum[r][0] = (heed_vector)_mm512_dpbf16_ps((__m512)sum[r][0], (__m512bh)x, (__m512bh)pairs[0]);
    sum[r][1] = (heed_vector)_mm512_dpbf16_ps((__m512)sum[r][1], (__m512bh)x, (__m512bh)pairs[1]);
  }
#else
  heed_vector even[2] = {(heed_vector)(pairs[0] << 16), (heed_vector)(pairs[1] << 16)};
#pragma GCC unroll 8
  for (int r = 0; r < HEED_MICRO; r++) {
    heed_vector x = (heed_vector)(heed_spread(rows + r * HEED_STEP) << 16);
    sum[r][0] = heed_vector_fma(x, even[0], sum[r][0]);
    sum[r][1] = heed_vector_fma(x, even[1], sum[r][1]);
  }
  heed_vector odd[2] = {(heed_vector)(pairs[0] & 0xFFFF0000), (heed_vector)(pairs[1] & 0xFFFF0000)};
#pragma GCC unroll 8
  for (int r = 0; r < HEED_MICRO; r++) {
    heed_vector x = (heed_vector)(heed_spread(rows + r * HEED_STEP) & 0xFFFF0000);
    sum[r][0] = heed_vector_fma(x, odd[0], sum[r][0]);
    sum[r][1] = heed_vector_fma(x, odd[1], sum[r][1]);
  }
#endif
}

/** c[HEED_MICRO, HEED_SPAN] of rows of a tile by columns from `column` on. */
static inline __attribute__((always_inline)) void heed_micro(float *c, const heed_element *rows, const heed_element *panel, int64_t column,
                                                             int64_t depth, const bool add) {
  heed_vector sum[HEED_MICRO][2];
  const heed_element *b[2];
  for (int64_t i = 0, at = column; i < 2; i++, at += HEED_VECTOR)
    b[i] = panel + at / 16 * HEED_TILE_ELEMENTS + at % 16 * 2;
#pragma GCC unroll 8
  for (int r = 0; r < HEED_MICRO; r++)
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) /* one by one: all at once they would stand in memory */
      sum[r][i] = add ? *heed_micro_at(c + column, r, i) : (heed_vector){0};
  for (int64_t d = 0; d < depth;
       d += HEED_STEP, rows += 2 * HEED_TILE_ELEMENTS, b[0] += 2 * HEED_TILE_ELEMENTS, b[1] += 2 * HEED_TILE_ELEMENTS)
#pragma GCC unroll 2
    for (int p = 0; p < 16; p++)
      heed_micro_pair(sum, rows + 2 * p, b[0] + 32 * p, b[1] + 32 * p);
#pragma GCC unroll 8
  for (int r = 0; r < HEED_MICRO; r++)
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++)
      *heed_micro_at(c + column, r, i) = sum[r][i];
}

/** Rows up to a multiple of HEED_MICRO are written. */
static inline __attribute__((always_inline)) void heed_block_sum(float *c, const heed_left *a, int64_t first, int64_t rows,
                                                                 const heed_element *panel, int64_t depth, const bool add) {
  const heed_element *block = a->at + first / HEED_BLOCK * a->block;
  for (int64_t column = 0; column < HEED_PANEL; column += HEED_SPAN)
    for (int64_t r = 0; r < rows; r += HEED_MICRO)
      heed_micro(c + r * HEED_PANEL, block + r / HEED_TILE_ROWS * HEED_TILE_ELEMENTS + r % HEED_TILE_ROWS * HEED_STEP, panel, column, depth,
                 add);
}
#endif

#endif
