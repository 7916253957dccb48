/** Private to kernels/: matrix products, a block of rows by a panel of columns at a time.
 *
 *      c[rows, 32] = a[rows, depth] · b[depth, 32]      c: floats, at most HEED_BLOCK rows
 *
 *  The right factor is packed into panels of 32 columns and the left one is laid out in blocks of rows, once each, so that the innermost
 *  loop reads memory in its order.  An element of c is one sum over depth, from the first to the last, whatever the sizes around it: its
 *  bits do not depend on how a product is cut, so that work may be shared out among any threads.
 *
 *  fp32: a panel is [depth][32]; rows are read where they lie.
 *  bf16: depth goes in steps of 32, padded with zeros.  A panel is [step][2 halves of 16 columns][16 pairs of depth][16 columns][2], a
 *  block of rows is [step][2 halves of 16 rows][16 rows][32]: the tiles of AMX, 1 KiB each (Intel SDM vol. 1, ch. 18). */
#ifndef HEED_KERNELS_BLOCK_H
#define HEED_KERNELS_BLOCK_H

#include "kernels/element.h"
#include "kernels/level.h"
#include "kernels/transpose.h"
#include "kernels/vector.h"

enum { HEED_PANEL = 32 };
#ifdef HEED_ELEMENT_BF16
enum { HEED_STEP = 32, HEED_BLOCK = 32 };
#else
enum { HEED_STEP = 1, HEED_BLOCK = 24 };
#endif

static inline int64_t heed_in_steps(int64_t depth) {
  return (depth + HEED_STEP - 1) / HEED_STEP * HEED_STEP;
}
static inline int64_t heed_in_blocks(int64_t rows) {
  return (rows + HEED_BLOCK - 1) / HEED_BLOCK * HEED_BLOCK;
}
static inline int64_t heed_in_panels(int64_t columns) {
  return (columns + HEED_PANEL - 1) / HEED_PANEL * HEED_PANEL;
}

/** The left factor: blocks of HEED_BLOCK rows. */
typedef struct heed_left {
  const heed_element *at;
  int64_t block;     /* elements between blocks */
  int64_t row, deep; /* elements from one row of a block to the next (fp32), and for each place in depth */
} heed_left;

/** Elements that the left factor takes when it is laid out in memory of its own. */
static inline int64_t heed_left_room(int64_t rows, int64_t depth) {
  return heed_in_blocks(rows) * heed_in_steps(depth);
}
static inline int64_t heed_panel_room(int64_t depth) {
  return HEED_PANEL * heed_in_steps(depth);
}

/** The columns that sums are made for at a time, without AMX: two vectors. */
enum { HEED_SPAN = 2 * HEED_VECTOR };

/** Vector p of row r of c, two for each panel; those of panels lie one behind the other. */
static inline heed_vector *heed_micro_at(float *c, int r, int p) {
  return (heed_vector *)(c + p / 2 * (HEED_BLOCK * HEED_PANEL) + r * HEED_PANEL + p % 2 * HEED_VECTOR);
}

#ifdef HEED_ELEMENT_BF16
#include "kernels/block_bf16.h"
#else
#include "kernels/block_fp32.h"
#endif

/* With registers of 16 floats a block passes by a whole panel.  With smaller ones it passes by parts of its columns: these stay in the
 * first cache for a limited depth only, and a factor would be fetched anew for each block; so several blocks pass by, one after the other,
 * before the next places in depth are taken. */
#ifdef __AVX512F__
enum { HEED_ABREAST_BLOCKS = 1 };
static inline int64_t heed_deep(int64_t depth) {
  return depth;
}
#else
enum { HEED_ABREAST_BLOCKS = 8, HEED_DEEP = 256 };
_Static_assert((int)HEED_DEEP % (int)HEED_STEP == 0, "whole steps");
static inline int64_t heed_deep(int64_t depth) {
  return heed_at_most(HEED_DEEP, depth);
}
#endif

/** Places [deep, deep + depth), depth ≤ heed_deep, of c[panels ≤ HEED_ABREAST][HEED_BLOCK, 32]: the block of a that begins at row `first`,
 * by panels that lie `apart` (two of them share each x that is loaded).  Written, or added with `add`, which wants one panel. c: aligned to
 * 64 bytes; bf16 writes rows up to a multiple of HEED_MICRO, with AMX all HEED_BLOCK. */
static inline __attribute__((always_inline)) void heed_block_part(float *c, const heed_left *a, int64_t first, int64_t rows,
                                                                  const heed_element *panel, int64_t apart, int64_t panels, int64_t deep,
                                                                  int64_t depth, const bool add) {
  heed_left from = *a;
#if defined(__AVX512F__) && !defined(HEED_ELEMENT_BF16)
  if (panels == 2) {
    heed_block_pair(c, a, first, rows, panel, apart, depth);
    return;
  }
#endif
  (void)apart, (void)panels;
  from.at += deep * a->deep;
  heed_block_sum(c, &from, first, rows, panel + deep * HEED_PANEL, depth, add);
}

/** Likewise, written where depth begins and added behind. */
static inline void heed_block_products(float *c, const heed_left *a, int64_t first, int64_t rows, const heed_element *panel, int64_t apart,
                                       int64_t panels, int64_t deep, int64_t depth) {
  if (HEED_ABREAST_BLOCKS == 1 || deep == 0) /* the first: all of depth is one part */
    heed_block_part(c, a, first, rows, panel, apart, panels, 0, depth, false);
  else
    heed_block_part(c, a, first, rows, panel, apart, panels, deep, depth, true);
}

/** c[rows, 32] of the block of a that begins at row `first`. */
static inline void heed_block_product(float *c, const heed_left *a, int64_t first, int64_t rows, const heed_element *panel, int64_t depth) {
  int64_t most = heed_deep(depth), deep = 0;
  do /* once for a depth of 0: zeros */
    heed_block_products(c, a, first, rows, panel, 0, 1, deep, heed_at_most(most, depth - deep));
  while ((deep += most) < depth);
}
/** Likewise, added to c. */
static inline void heed_block_add(float *c, const heed_left *a, int64_t first, int64_t rows, const heed_element *panel, int64_t depth) {
  int64_t most = heed_deep(depth);
  for (int64_t deep = 0; deep < depth; deep += most)
    heed_block_part(c, a, first, rows, panel, 0, 1, deep, heed_at_most(most, depth - deep), true);
}

#endif
