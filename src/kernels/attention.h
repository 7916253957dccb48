/** Private to kernels/: what the files of attention share: one head of one sequence, its keys chunk by chunk, and which of them 32 queries
 *  see.
 *
 *  Scores are turned: a column is a query, a row is a key, so that what softmax does runs down the columns with 16 queries in the lanes.
 *  What queries see is a band along the diagonal: a panel of 32 of them multiplies with one range of keys, those that any of them sees, and
 *  scores that are not seen become −∞, whose weight is 0.  So unseen keys and values leave no trace in the bits, as long as they are
 *  finite. */
#ifndef HEED_KERNELS_ATTENTION_H
#define HEED_KERNELS_ATTENTION_H

#include "kernels/block.h"
#include "kernels/draws.h"
#include "kernels/lanes.h"
#include "kernels/level.h"

enum {
  HEED_CHUNK = 512 / HEED_BLOCK * HEED_BLOCK + (512 % HEED_BLOCK ? HEED_BLOCK : 0), /* keys at a time: with all that is made of them they
                                                                                     * stay in the second cache */
  HEED_GRAIN = HEED_STEP > 8 ? HEED_STEP : 8, /* ranges of keys are whole: for depth, and for the 8 draws of a call */
  HEED_COUNTERS_A_ROW = 8192                  /* of dropout: element 8·(query · 8192 + key / 8) + key mod 8 (kernels.h) */
};

/** One head of one sequence: its first tokens in the two streams, its sizes, and what its queries see. */
typedef struct heed_attention_unit {
  int64_t sequence, head, channel; /* channel: of the head's first in a token */
  int64_t q_first, queries, kv_first, keys;
  int64_t behind, ahead; /* as the shape's, without its infinity */
} heed_attention_unit;

static inline heed_attention_unit heed_attention_unit_of(const heed_attention_shape *shape, int64_t item) {
  int64_t b = item / shape->heads, head = item % shape->heads, queries = shape->q_offsets[b + 1] - shape->q_offsets[b];
  int64_t keys = (shape->kv_ends ? shape->kv_ends[b] : shape->kv_offsets[b + 1]) - shape->kv_offsets[b], all = queries + keys;
  return (heed_attention_unit){.sequence = b,
                               .head = head,
                               .channel = head * shape->head_width,
                               .q_first = shape->q_offsets[b],
                               .queries = queries,
                               .kv_first = shape->kv_offsets[b],
                               .keys = keys,
                               .behind = heed_at_most(shape->behind, all),
                               .ahead = heed_at_most(shape->ahead, all)};
}

/** Keys [first, end) of a sequence, or of a chunk. */
typedef struct heed_range {
  int64_t first, end;
} heed_range;

static inline int64_t heed_in_grains(int64_t keys) {
  return (keys + HEED_GRAIN - 1) / HEED_GRAIN * HEED_GRAIN;
}

/** The keys that a query sees.  Both ends never fall from one query to the next. */
static inline heed_range heed_attention_seen(const heed_attention_unit *u, int64_t query) {
  int64_t place = u->keys - u->queries + query, first = heed_at_least(0, place - u->behind);
  return (heed_range){first, heed_at_least(first, heed_at_most(u->keys, place + u->ahead + 1))};
}

/** The keys of the chunk that begins at key `chunk`, in whole grains, which any of the queries [query, query + count) sees. */
static inline heed_range heed_attention_range(const heed_attention_unit *u, int64_t chunk, int64_t query, int64_t count) {
  int64_t first = heed_at_least(0, heed_attention_seen(u, query).first - chunk);
  int64_t end = heed_at_most(HEED_CHUNK, heed_attention_seen(u, query + count - 1).end - chunk);
  return end <= first ? (heed_range){0, 0} : (heed_range){first / HEED_GRAIN * HEED_GRAIN, heed_in_grains(end)};
}

/** −∞ for the scores[keys, 32] of queries [query, query + count) that are not seen; row 0 is key `key` of the sequence. */
static inline void heed_attention_veil(float *scores, const heed_attention_unit *u, int64_t query, int64_t count, int64_t key,
                                       int64_t keys) {
  uint32_t first[HEED_PANEL], span[HEED_PANEL];
  heed_range all = {heed_attention_seen(u, query + count - 1).first, heed_attention_seen(u, query).end}; /* seen by all */
  if (all.first <= key && all.end >= key + keys)
    return;
  for (int64_t c = 0; c < HEED_PANEL; c++) {
    heed_range seen = heed_attention_seen(u, query + heed_at_most(c, count - 1));
    first[c] = (uint32_t)seen.first;
    span[c] = (uint32_t)(seen.end - seen.first);
  }
  for (int64_t row = 0; row < keys; row++) {
    if (key + row >= all.first && key + row < all.end)
      continue;
    uint32_t at = (uint32_t)(key + row);
#pragma omp simd
    for (int64_t c = 0; c < HEED_PANEL; c++)
      scores[row * HEED_PANEL + c] = at - first[c] < span[c] ? scores[row * HEED_PANEL + c] : -INFINITY;
  }
}

/* ---- keys and values, packed a chunk at a time ---- */

/** Rows [rows, width] as a left factor; rows that fill a grain are 0. */
static inline heed_left heed_attention_rows(heed_element *room, const heed_element *from, int64_t stride, int64_t rows, int64_t width) {
#ifdef HEED_ELEMENT_BF16
  return heed_left_rows(room, from, stride, rows, width);
#else
  for (int64_t r = 0; r < rows; r++)
    memcpy(room + r * width, from + r * stride, (size_t)width * sizeof *room);
  memset(room + rows * width, 0, (size_t)((heed_in_grains(rows) - rows) * width) * sizeof *room);
  return heed_left_rows(room, room, width, rows, width);
#endif
}

/** Their columns as rows: a left factor [width, rows]. */
static inline heed_left heed_attention_columns(heed_element *room, const heed_element *from, int64_t stride, int64_t rows, int64_t width) {
  for (int64_t row = 0; row < width; row += HEED_BLOCK)
    heed_pack_left(room, from, stride, row, width, rows);
  return heed_left_packed(room, rows);
}

/** c[range, 32] = rows [range] of a · panel. */
static inline void heed_attention_product(float *c, const heed_left *rows, heed_range range, const heed_element *panel, int64_t width) {
  heed_left a = *rows;
  a.at += range.first * heed_in_steps(width);
  for (int64_t r = 0; r < range.end - range.first; r += HEED_BLOCK)
    heed_block_product(c + r * HEED_PANEL, &a, r, heed_at_most(HEED_BLOCK, range.end - range.first - r), panel, width);
}

/** c[width, 32] += columns [range] of a, of which there are `keys`, · panel, whose depth begins with the range. */
static inline void heed_attention_add(float *c, const heed_left *columns, heed_range range, int64_t keys, const heed_element *panel,
                                      int64_t width) {
  heed_left a = *columns;
  int64_t depth = heed_at_most(range.end, keys) - range.first;
  a.at += range.first * HEED_BLOCK;
  for (int64_t r = 0; r < width; r += HEED_BLOCK)
    heed_block_add(c + r * HEED_PANEL, &a, r, heed_at_most(HEED_BLOCK, width - r), panel, depth);
}

/* ---- 16 elements at a time ---- */

/** `count` elements as floats, and 0 for the rest. */
static inline __attribute__((always_inline)) heed_lanes16 heed_attention_take(const heed_element *from, int64_t count) {
#ifdef HEED_ELEMENT_BF16
  return (heed_lanes16)(heed_widen(from, count) << 16);
#else
  heed_lanes16 lanes = {0};
  if (count >= 16)
    memcpy(&lanes, from, sizeof lanes);
  else
    memcpy(&lanes, from, (size_t)count * sizeof *from);
  return lanes;
#endif
}

static inline __attribute__((always_inline)) void heed_attention_give(heed_element *to, heed_lanes16 from, int64_t count) {
  float lanes[16];
  memcpy(lanes, &from, sizeof lanes);
  if (count >= 16)
    heed_elements(to, lanes, 16);
  else
    heed_elements(to, lanes, count);
}

/** Column c of turned[width, 32], times factor[c], as row c: to[count, width]. */
static inline void heed_attention_turn(heed_element *to, int64_t stride, const float *turned, const heed_lanes16 factor[2], int64_t count,
                                       int64_t width) {
  for (int64_t d = 0; d < width; d += 16)
    for (int64_t half = 0; half < HEED_PANEL && half < count; half += 16) {
      heed_words row[16];
      const float *at = turned + d * HEED_PANEL + half;
      int64_t deep = heed_at_most(16, width - d), rows = heed_at_most(16, count - half);
      for (int64_t i = 0; i < 16; i++)
        row[i] = (heed_words)(i < deep ? *(const heed_lanes16 *)(at + i * HEED_PANEL) * factor[half / 16] : (heed_lanes16){0});
      heed_transpose(row);
      if (deep == 16) {
        for (int64_t c = 0; c < rows; c++)
          heed_attention_give(to + (half + c) * stride + d, (heed_lanes16)row[c], 16);
      } else {
        for (int64_t c = 0; c < rows; c++)
          heed_attention_give(to + (half + c) * stride + d, (heed_lanes16)row[c], deep);
      }
    }
}

/** Σ_d a·b of 16 rows, the lanes; from row `count` on 0. */
static inline heed_lanes16 heed_attention_dots(const heed_element *a, int64_t a_stride, const heed_element *b, int64_t b_stride,
                                               int64_t count, int64_t width) {
  heed_words row[16];
  for (int64_t r = 0; r < 16; r++) {
    heed_lanes16 sum = {0};
    int64_t d = 0;
    for (; r < count && d + 16 <= width; d += 16)
      sum = heed_lanes16_fma(heed_attention_take(a + r * a_stride + d, 16), heed_attention_take(b + r * b_stride + d, 16), sum);
    if (r < count && d < width)
      sum =
          heed_lanes16_fma(heed_attention_take(a + r * a_stride + d, width - d), heed_attention_take(b + r * b_stride + d, width - d), sum);
    row[r] = (heed_words)sum;
  }
  heed_transpose(row);
  heed_lanes16 sum = (heed_lanes16)row[0];
  for (int i = 1; i < 16; i++)
    sum += (heed_lanes16)row[i];
  return sum;
}

/* ---- memory ---- */

/** Takes `count` floats or elements of a thread's scratch, 64-byte aligned; with NULL as the scratch it only counts. */
typedef struct heed_room {
  float *scratch;
  int64_t used;
} heed_room;

static inline float *heed_room_floats(heed_room *room, int64_t count) {
  float *at = room->scratch ? room->scratch + room->used : NULL;
  room->used += heed_in_lanes(count);
  return at;
}
static inline heed_element *heed_room_elements(heed_room *room, int64_t count) {
  return (heed_element *)heed_room_floats(room, (count * (int64_t)sizeof(heed_element) + 3) / 4);
}

/* ---- dropout ---- */

/** Counters of 16 queries from `query` on, for keys 0 … 7: those of even lanes, and of odd ones. */
typedef struct heed_attention_counters {
  heed_longs even, odd;
} heed_attention_counters;

static inline heed_attention_counters heed_attention_counters_of(int64_t query) {
  heed_longs lane = {0, 2, 4, 6, 8, 10, 12, 14};
  return (heed_attention_counters){(lane + (uint64_t)query) * HEED_COUNTERS_A_ROW, (lane + (uint64_t)query + 1) * HEED_COUNTERS_A_ROW};
}

static inline heed_draws heed_attention_draws(const heed_attention_unit *u, const heed_dropout *dropout) {
  return heed_draws_of(dropout->first_row + (uint32_t)u->sequence, dropout->site + ((uint32_t)u->head << 16), dropout);
}

/* attention_few.c */
/** scores[keys], in whole lanes: scale · q[width] · k[keys, width]ᵀ. */
void HEED_KERNEL(attention_row_scores)(float *scores, const heed_element *q, const heed_element *k, int64_t stride, int64_t keys,
                                       int64_t width, float scale);
/** Forward for a unit of at most HEED_FEW_QUERIES queries without dropout. */
enum { HEED_FEW_QUERIES = 4 };
void HEED_KERNEL(attention_few)(heed_element *out, float *lse, const heed_element *q, const heed_element *k, const heed_element *v,
                                const heed_attention_shape *shape, const heed_attention_unit *u, float *scratch);
int64_t HEED_KERNEL(attention_few_scratch)(int64_t longest, int64_t head_width);

/* attention_backward.c */
int64_t HEED_KERNEL(attention_backward_scratch)(int64_t longest, int64_t head_width);

#endif
