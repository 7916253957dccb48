/** Private to kernels/: what the files of attention share: one head of one sequence, cut into blocks of queries, and the scores of a
 *  block.
 *
 *  What queries see is a band along the diagonal, so a block multiplies with one range of keys: those that any of its rows sees.  Within
 *  it each row has columns of its own; what lies beside them becomes 0 before it is multiplied with anything.  So unseen keys and values
 *  leave no trace in the bits, as long as they are finite. */
#ifndef HEED_KERNELS_ATTENTION_H
#define HEED_KERNELS_ATTENTION_H

#include "kernels/lanes.h"
#include "kernels/level.h"
#include "kernels/product.h"

enum {
  HEED_TILE = 65536,       /* floats of scores that stay in cache with what they are made of */
  HEED_QUERIES_LEAST = 16, /* of a block, however many keys: a product of fewer rows is slow */
  HEED_QUERIES_MOST = 128
};

/** One head of one sequence: its first tokens in the two streams, its sizes, and what its queries see. */
typedef struct heed_attention_unit {
  int64_t sequence, head, channel; /* channel: of the head's first in a token */
  int64_t q_first, queries, kv_first, keys;
  int64_t behind, ahead; /* as the shape's, without its infinity */
  int64_t rows;          /* queries of a block */
} heed_attention_unit;

/** Queries of a block: a function of the number of keys, and of how many of them a query sees at most.  Where that is a window, a sixth
 *  of it (measured): what a row multiplies and does not see stays in proportion to what it sees. */
static inline int64_t heed_attention_rows(int64_t keys, int64_t seen) {
  int64_t range = heed_at_most(keys, seen + HEED_QUERIES_MOST + HEED_LANES); /* of a block, at most */
  int64_t fit = HEED_TILE / heed_in_lanes(range + 1) / HEED_LANES * HEED_LANES;
  int64_t most = seen < keys ? heed_at_least(HEED_QUERIES_LEAST, heed_in_lanes(seen / 6)) : HEED_QUERIES_MOST;
  return heed_at_most(heed_at_most(HEED_QUERIES_MOST, most), heed_at_least(HEED_QUERIES_LEAST, fit));
}

static inline heed_attention_unit heed_attention_unit_of(const heed_attention_shape *shape, int64_t item) {
  int64_t b = item / shape->heads, head = item % shape->heads, queries = shape->q_offsets[b + 1] - shape->q_offsets[b];
  int64_t keys = (shape->kv_ends ? shape->kv_ends[b] : shape->kv_offsets[b + 1]) - shape->kv_offsets[b], all = queries + keys;
  int64_t behind = heed_at_most(shape->behind, all), ahead = heed_at_most(shape->ahead, all);
  return (heed_attention_unit){.sequence = b,
                               .head = head,
                               .channel = head * shape->head_width,
                               .q_first = shape->q_offsets[b],
                               .queries = queries,
                               .kv_first = shape->kv_offsets[b],
                               .keys = keys,
                               .behind = behind,
                               .ahead = ahead,
                               .rows = heed_attention_rows(keys, behind + ahead + 1)};
}

/** Keys [first, end) of a sequence, or columns of a block. */
typedef struct heed_range {
  int64_t first, end;
} heed_range;

/** The keys that a query sees.  Both ends never fall from one query to the next. */
static inline heed_range heed_attention_seen(const heed_attention_unit *u, int64_t query) {
  int64_t place = u->keys - u->queries + query, first = heed_at_least(0, place - u->behind);
  return (heed_range){first, heed_at_least(first, heed_at_most(u->keys, place + u->ahead + 1))};
}

/** Queries [query, query + rows) of a sequence with keys [first, first + keys) of it.  `first` is a whole number of lanes, so that key j
 *  of the sequence has the same lane, and the same place in a call of dropout's counters, in any block. */
typedef struct heed_attention_block {
  int64_t query, rows, first, keys;
  int64_t padded; /* floats of a row of scores */
} heed_attention_block;

static inline heed_attention_block heed_attention_block_at(const heed_attention_unit *u, int64_t query) {
  int64_t rows = heed_at_most(u->rows, u->queries - query), first = heed_attention_seen(u, query).first / HEED_LANES * HEED_LANES;
  int64_t keys = heed_attention_seen(u, query + rows - 1).end - first;
  return (heed_attention_block){query, rows, first, keys, heed_in_lanes(keys)};
}

/** The columns of row r of a block that its query sees. */
static inline heed_range heed_attention_columns(const heed_attention_unit *u, const heed_attention_block *b, int64_t r) {
  heed_range seen = heed_attention_seen(u, b->query + r);
  return (heed_range){seen.first - b->first, seen.end - b->first};
}

/** scores[rows, padded] = scale · q·kᵀ of a block, whether seen or not; the padding is left as it is. */
static inline void heed_attention_scores(float *scores, const float *q, const float *k, const heed_attention_shape *shape,
                                         const heed_attention_unit *u, const heed_attention_block *b) {
  heed_product(
      scores, b->padded, false, shape->scale, heed_plain(q + (u->q_first + b->query) * shape->q_stride + u->channel, shape->q_stride),
      heed_transposed(k + (u->kv_first + b->first) * shape->kv_stride + u->channel, shape->kv_stride), b->rows, b->keys, shape->head_width);
}

#endif
