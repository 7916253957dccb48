/* Attention by sequence (Vaswani et al. 2017, eq. 1), one head of one sequence at a time.
 *
 *     S = scale·q·kᵀ,  P = softmax(S) = e^(S − lse) over the keys seen, else 0,  P̃ = mask·s·P (dropout),  out = P̃·v
 *
 * Keys are taken a chunk at a time: packed once, multiplied with all panels of 32 queries.  What a panel has seen so far is a maximum and
 * a sum for each query, and out without its division (Milakov & Gimelshein 2018).  attention_backward.c has the gradients.
 *
 * Threads share units of one head of one sequence, and their panels where units are few; what is computed for a panel depends on its
 * sequence alone. */
#include <omp.h>

#include "kernels/attention.h"

enum { SHARE = 128, SHARES = 4 };   /* queries that are worth packing keys for; pieces of work a thread, so that all end together */
static const float lowest = -1e30f; /* below any score, and what is subtracted where none is seen: −∞ − (−∞) is no number */

/* ---- memory ---- */

typedef struct rooms {
  heed_element *keys, *values, *query, *weights;
  float *scores, *states;
} rooms;

/** Floats of what a panel has seen: maxima, sums, out as [width, 32]. */
static int64_t state_floats(int64_t width) {
  return (2 + heed_in_blocks(width)) * HEED_PANEL;
}

static int64_t lay_out(rooms *r, float *scratch, int64_t queries, int64_t keys, int64_t width) {
  int64_t chunk = heed_at_most(HEED_CHUNK, heed_in_blocks(heed_in_grains(keys)));
  heed_room room = {scratch, 0};
  r->keys = heed_room_elements(&room, heed_left_room(chunk, width));
  r->values = heed_room_elements(&room, heed_left_room(width, chunk));
  r->query = heed_room_elements(&room, heed_panel_room(width));
  r->weights = heed_room_elements(&room, heed_panel_room(chunk));
  r->scores = heed_room_floats(&room, chunk * HEED_PANEL);
  r->states = heed_room_floats(&room, heed_in_panels(queries) / HEED_PANEL * state_floats(width));
  return room.used;
}

int64_t HEED_KERNEL(attention_scratch)(int64_t longest, int64_t head_width) {
  rooms r;
  int64_t floats = heed_at_least(lay_out(&r, NULL, longest, longest, head_width), HEED_KERNEL(attention_few_scratch)(longest, head_width));
  return heed_at_least(floats, HEED_KERNEL(attention_backward_scratch)(longest, head_width));
}

/* ---- a panel of queries and a chunk of keys ---- */

typedef struct forward_call {
  heed_element *out;
  float *lse;
  const heed_element *q, *k, *v;
  const heed_attention_shape *shape;
  const heed_dropout *dropout;
} forward_call;

/** Scores of 8 keys → P̃·sum/s, into the panel of weights at depth `key`; sum += Σ P·sum. */
static inline __attribute__((always_inline)) void weigh_keys(heed_element *weights, heed_lanes16 *sum, const float *scores, int64_t key,
                                                             int64_t half, heed_lanes16 most, float scale, const heed_words *word,
                                                             const heed_draws *draws) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const float *at = scores + (key + 2 * i) * HEED_PANEL + half * 16;
    heed_lanes16 even = heed_lanes16_exp(*(const heed_lanes16 *)at * scale - most);
    heed_lanes16 odd = heed_lanes16_exp(*(const heed_lanes16 *)(at + HEED_PANEL) * scale - most);
    *sum += even + odd;
    if (word) {
      even = heed_where(heed_kept_low(word[i], draws), even);
      odd = heed_where(heed_kept_high(word[i], draws), odd);
    }
    heed_panel_pair(weights, key + 2 * i, half, even, odd);
  }
}

/** Likewise of `keys` keys, the first of which is key `first` of the sequence. */
static void weigh(heed_element *weights, heed_lanes16 sum[2], const float *scores, int64_t keys, const heed_lanes16 most[2], float scale,
                  int64_t query, int64_t first, const heed_draws *draws) {
  if (draws->limit == 0) {
    for (int64_t key = 0; key < keys; key += 8)
      for (int64_t half = 0; half < 2; half++)
        weigh_keys(weights, &sum[half], scores, key, half, most[half], scale, NULL, draws);
    return;
  }
  const heed_attention_counters counters[2] = {heed_attention_counters_of(query), heed_attention_counters_of(query + 16)};
  for (int64_t key = 0; key < keys; key += 8)
    for (int64_t half = 0; half < 2; half++) {
      heed_words word[4];
      uint64_t call = (uint64_t)(first + key) / 8;
      heed_draw_columns(word, counters[half].even + call, counters[half].odd + call, draws);
      weigh_keys(weights, &sum[half], scores, key, half, most[half], scale, word, draws);
    }
}

/** The maxima of the columns of scores[keys, 32], and of `most`. */
static void raise(heed_lanes16 most[2], const float *scores, int64_t keys) {
  heed_lanes16 low = most[0], high = most[1];
  for (int64_t row = 0; row < keys; row++) {
    low = heed_larger(low, *(const heed_lanes16 *)(scores + row * HEED_PANEL));
    high = heed_larger(high, *(const heed_lanes16 *)(scores + row * HEED_PANEL + 16));
  }
  most[0] = low;
  most[1] = high;
}

/** Takes what a panel has seen to other maxima. */
static void rescale(heed_lanes16 *state, const heed_lanes16 most[2], float scale, int64_t width) {
  heed_lanes16 factor[2];
  for (int half = 0; half < 2; half++) {
    factor[half] = heed_lanes16_exp((state[half] - most[half]) * scale);
    state[half] = most[half];
  }
  for (int64_t row = 1; row < 2 + width; row++)
    for (int half = 0; half < 2; half++)
      state[2 * row + half] *= factor[half];
}

static void forward_panel(const forward_call *c, const heed_attention_unit *u, const rooms *r, const heed_left *keys,
                          const heed_left *values, int64_t chunk, int64_t query, float *state, const heed_draws *draws) {
  const heed_attention_shape *s = c->shape;
  int64_t width = s->head_width, count = heed_at_most(HEED_PANEL, u->queries - query);
  heed_range range = heed_attention_range(u, chunk, query, count);
  if (range.first == range.end)
    return;
  int64_t rows = range.end - range.first, first = chunk + range.first;
  heed_pack_panel_turned(r->query, c->q + (u->q_first + query) * s->q_stride + u->channel, s->q_stride, count, width);
  heed_attention_product(r->scores, keys, range, r->query, width);
  heed_attention_veil(r->scores, u, query, count, first, rows);

  heed_lanes16 *seen = (heed_lanes16 *)state, most[2] = {seen[0], seen[1]}, shift[2], sum[2];
  raise(most, r->scores, rows);
  rescale(seen, most, s->scale, width);
  for (int half = 0; half < 2; half++) {
    shift[half] = most[half] * s->scale;
    sum[half] = seen[2 + half];
  }
  weigh(r->weights, sum, r->scores, rows, shift, s->scale, query, first, draws);
  memcpy(seen + 2, sum, sizeof sum);
  heed_attention_add(state + 2 * HEED_PANEL, values, range, u->keys - chunk, r->weights, width);
}

/** What a panel has seen → out and lse. */
static void finish(const forward_call *c, const heed_attention_unit *u, int64_t query, const float *state, const heed_draws *draws) {
  const heed_attention_shape *s = c->shape;
  int64_t count = heed_at_most(HEED_PANEL, u->queries - query), token = u->q_first + query;
  const float *most = state, *sum = state + HEED_PANEL;
  float lse[HEED_PANEL], factor[HEED_PANEL] __attribute__((aligned(64)));
#pragma omp simd
  for (int i = 0; i < HEED_PANEL; i++) {
    lse[i] = sum[i] == 0.0f ? -INFINITY : most[i] * s->scale + (float)heed_log((double)sum[i]);
    factor[i] = sum[i] == 0.0f ? 0.0f : (draws->limit ? draws->scale : 1.0f) / sum[i];
  }
  for (int64_t i = 0; i < count; i++)
    c->lse[(token + i) * s->heads + u->head] = lse[i];
  heed_attention_turn(c->out + token * s->out_stride + u->channel, s->out_stride, state + 2 * HEED_PANEL, (const heed_lanes16 *)factor,
                      count, s->head_width);
}

/** The queries [first, end) of a unit; first is a whole number of panels. */
static void forward_queries(const forward_call *c, const heed_attention_unit *u, int64_t first, int64_t end, float *scratch) {
  const heed_attention_shape *s = c->shape;
  int64_t width = s->head_width, size = state_floats(width);
  heed_draws draws = heed_attention_draws(u, c->dropout);
  rooms r;
  lay_out(&r, scratch, end - first, u->keys, width);
  for (int64_t query = first; query < end; query += HEED_PANEL) {
    float *state = r.states + (query - first) / HEED_PANEL * size;
    memset(state, 0, (size_t)size * sizeof *state);
    for (int i = 0; i < HEED_PANEL; i++)
      state[i] = lowest;
  }
  heed_range all = {heed_attention_seen(u, first).first, heed_attention_seen(u, end - 1).end};
  for (int64_t chunk = all.first / HEED_CHUNK * HEED_CHUNK; chunk < all.end; chunk += HEED_CHUNK) {
    int64_t count = heed_at_most(HEED_CHUNK, u->keys - chunk), at = (u->kv_first + chunk) * s->kv_stride + u->channel;
    heed_left keys = heed_attention_rows(r.keys, c->k + at, s->kv_stride, count, width);
    heed_left values = heed_attention_columns(r.values, c->v + at, s->kv_stride, count, width);
    for (int64_t query = first; query < end; query += HEED_PANEL)
      forward_panel(c, u, &r, &keys, &values, chunk, query, r.states + (query - first) / HEED_PANEL * size, &draws);
  }
  for (int64_t query = first; query < end; query += HEED_PANEL)
    finish(c, u, query, r.states + (query - first) / HEED_PANEL * size, &draws);
}

void HEED_KERNEL(attention_forward)(void *out, float *lse, const void *q, const void *k, const void *v, const heed_attention_shape *shape,
                                    const heed_dropout *dropout, float *scratch) {
  forward_call call = {out, lse, q, k, v, shape, dropout};
  int64_t units = shape->sequences * shape->heads, shares = heed_at_least(1, SHARES * omp_get_num_threads() / heed_at_least(1, units));
  heed_blocks_begin();
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < units * shares; item++) {
    heed_attention_unit u = heed_attention_unit_of(shape, item / shares);
    int64_t share = (u.queries + shares - 1) / shares;
    share = heed_at_least(SHARE, heed_in_panels(share));
    int64_t first = item % shares * share, end = heed_at_most(u.queries, first + share);
    if (first >= end)
      continue;
    if (u.queries <= HEED_FEW_QUERIES && dropout->threshold == 0)
      HEED_KERNEL(attention_few)(out, lse, q, k, v, shape, &u, scratch);
    else
      forward_queries(&call, &u, first, end, scratch);
  }
  heed_blocks_end();
}
