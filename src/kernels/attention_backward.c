/* The gradients of attention (attention.c):
 *
 *     dv = P̃ᵀ·dout,  dP = mask·s·(dout·vᵀ),  δ = Σ_d dout·out (= Σ_j dP·P),  dS = P·(dP − δ),  dq = scale·dS·k,  dk = scale·dSᵀ·q
 *
 * The scores are computed again, and P taken from the saved log-sum-exp.  Keys are taken a chunk at a time, and for each chunk all blocks
 * of queries: dk and dv of the chunk, and dq of all queries, are summed in scratch in one order, by one thread. */
#include "kernels/attention.h"

enum { PANELS = 4, QUERIES = PANELS * HEED_PANEL }; /* of a block: the depth of dk and dv */

/* ---- memory ---- */

typedef struct rooms {
  heed_element *keys, *values, *columns; /* of the chunk: k and v as rows, k as columns */
  float *d_keys, *d_values;              /* [panels of width][chunk][32] */
  float *d_query;                        /* of all queries: [panel][width][32] */
  heed_element *query, *d_out;           /* of the block, as panels whose depth is the width: [PANELS] */
  heed_element *query_rows, *d_out_rows; /* as panels whose depth is the queries: [panels of width] */
  heed_element *weights, *d_scores;      /* P̃ᵀ and dSᵀ of a block of keys, as left factors */
  heed_element *d_score_panels;          /* dSᵀ of the chunk, as panels whose depth is the keys: [PANELS] */
  float *scores, *d_weights;             /* Sᵀ and (dout·vᵀ)ᵀ of a block of keys */
  int64_t chunk;                         /* keys there is room for */
} rooms;

static int64_t lay_out(rooms *r, float *scratch, int64_t queries, int64_t keys, int64_t width) {
  int64_t chunk = heed_at_most(HEED_CHUNK, heed_in_blocks(heed_in_grains(keys))), panels = heed_in_panels(width) / HEED_PANEL;
  heed_room room = {scratch, 0};
  r->chunk = chunk;
  r->keys = heed_room_elements(&room, heed_left_room(chunk, width));
  r->values = heed_room_elements(&room, heed_left_room(chunk, width));
  r->columns = heed_room_elements(&room, heed_left_room(width, chunk));
  r->d_keys = heed_room_floats(&room, panels * chunk * HEED_PANEL);
  r->d_values = heed_room_floats(&room, panels * chunk * HEED_PANEL);
  r->d_query = heed_room_floats(&room, heed_in_panels(queries) * heed_in_blocks(width));
  r->query = heed_room_elements(&room, PANELS * heed_panel_room(width));
  r->d_out = heed_room_elements(&room, PANELS * heed_panel_room(width));
  r->query_rows = heed_room_elements(&room, panels * heed_panel_room(QUERIES));
  r->d_out_rows = heed_room_elements(&room, panels * heed_panel_room(QUERIES));
  r->weights = heed_room_elements(&room, QUERIES * HEED_BLOCK);
  r->d_scores = heed_room_elements(&room, QUERIES * HEED_BLOCK);
  r->d_score_panels = heed_room_elements(&room, PANELS * heed_panel_room(chunk));
  r->scores = heed_room_floats(&room, HEED_BLOCK * HEED_PANEL);
  r->d_weights = heed_room_floats(&room, HEED_BLOCK * HEED_PANEL);
  return room.used;
}

int64_t HEED_KERNEL(attention_backward_scratch)(int64_t longest, int64_t head_width) {
  rooms r;
  return lay_out(&r, NULL, longest, longest, head_width);
}

/* ---- a block of keys and a panel of queries ---- */

/** What backward reads of forward's, and the gradients that it leaves. */
typedef struct backward_call {
  heed_element *d_q, *d_k, *d_v;
  const heed_element *d_out, *out;
  const float *lse;
  const heed_element *q, *k, *v;
  const heed_attention_shape *shape;
  const heed_dropout *dropout;
} backward_call;

/** A panel of queries of the block: its first query, how many; lse and δ of each. */
typedef struct queries_panel {
  int64_t query, count;
  heed_lanes16 lse[2], delta[2];
  heed_attention_counters counters[2];
} queries_panel;

static queries_panel panel_at(const backward_call *c, const heed_attention_unit *u, int64_t query) {
  const heed_attention_shape *s = c->shape;
  queries_panel p = {.query = query, .count = heed_at_most(HEED_PANEL, u->queries - query)};
  float lse[HEED_PANEL];
  int64_t token = u->q_first + query, at = token * s->out_stride + u->channel;
  for (int64_t i = 0; i < HEED_PANEL; i++) {
    lse[i] = i < p.count ? c->lse[(token + i) * s->heads + u->head] : INFINITY;
    lse[i] = lse[i] == -INFINITY ? INFINITY : lse[i]; /* e^(S − ∞): no weights */
  }
  memcpy(p.lse, lse, sizeof lse);
  for (int64_t half = 0; half < 2; half++) {
    int64_t skipped = half * 16 * s->out_stride;
    p.delta[half] = heed_attention_dots(c->d_out + at + skipped, s->out_stride, c->out + at + skipped, s->out_stride, p.count - half * 16,
                                        s->head_width);
    p.counters[half] = heed_attention_counters_of(query + half * 16);
  }
  return p;
}

/** Where P̃ᵀ and dSᵀ of some keys and a panel of queries go: as left factors, and dSᵀ as a panel too. */
typedef struct outcome {
  heed_element *weights, *d_scores, *d_score_panel;
  int64_t query; /* the panel's first in the block */
} outcome;

/** S and dP of two keys `row` and row + 1 → P̃ and dS; `word`: their draws. */
static inline __attribute__((always_inline)) void differentiate_pair(const outcome *o, const float *scores, const float *d_weights,
                                                                     int64_t row, int64_t depth, const queries_panel *p, float scale,
                                                                     const heed_words *low, const heed_words *high,
                                                                     const heed_draws *draws) {
  heed_lanes16 weight[2][2], d_score[2][2];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    int key = i / 2, half = i % 2;
    int64_t at = (row + key) * HEED_PANEL + half * 16;
    heed_lanes16 probability = heed_lanes16_exp(*(const heed_lanes16 *)(scores + at) * scale - p->lse[half]);
    heed_lanes16 d_weight = *(const heed_lanes16 *)(d_weights + at);
    if (low) {
      heed_words word = half ? *high : *low;
      heed_mask16 kept = key ? heed_kept_high(word, draws) : heed_kept_low(word, draws);
      d_score[key][half] = probability * heed_fma_where(kept, d_weight, heed_lanes16_of(draws->scale), -p->delta[half]);
      weight[key][half] = heed_where(kept, probability);
    } else {
      d_score[key][half] = probability * (d_weight - p->delta[half]);
      weight[key][half] = probability;
    }
  }
  for (int key = 0; key < 2; key++) {
    heed_left_row(o->weights, QUERIES, row + key, o->query, weight[key][0], weight[key][1]);
    heed_left_row(o->d_scores, QUERIES, row + key, o->query, d_score[key][0], d_score[key][1]);
  }
  for (int half = 0; half < 2; half++)
    heed_panel_pair(o->d_score_panel, depth + row, half, d_score[0][half], d_score[1][half]);
}

/** All `rows` keys; the first is key `first` of the sequence, and at `depth` in the panel. */
static void differentiate(const outcome *o, const float *scores, const float *d_weights, int64_t rows, int64_t depth, int64_t first,
                          const queries_panel *panel, float scale, const heed_draws *draws) {
  queries_panel p = *panel;
  if (draws->limit == 0) {
    for (int64_t row = 0; row < rows; row += 2)
      differentiate_pair(o, scores, d_weights, row, depth, &p, scale, NULL, NULL, draws);
    return;
  }
  for (int64_t row = 0; row < rows; row += 8) {
    heed_words word[2][4];
    uint64_t call = (uint64_t)(first + row) / 8;
    for (int half = 0; half < 2; half++)
      heed_draw_columns(word[half], p.counters[half].even + call, p.counters[half].odd + call, draws);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
      differentiate_pair(o, scores, d_weights, row + 2 * i, depth, &p, scale, &word[0][i], &word[1][i], draws);
  }
}

/* ---- a block of queries and a chunk of keys ---- */

static void pack_block(const backward_call *c, const heed_attention_unit *u, const rooms *r, int64_t query, int64_t count) {
  const heed_attention_shape *s = c->shape;
  int64_t width = s->head_width, token = u->q_first + query;
  const heed_element *q = c->q + token * s->q_stride + u->channel, *d_out = c->d_out + token * s->out_stride + u->channel;
  for (int64_t first = 0; first < count; first += HEED_PANEL) {
    int64_t room = first / HEED_PANEL * heed_panel_room(width), columns = heed_at_most(HEED_PANEL, count - first);
    heed_pack_panel_turned(r->query + room, q + first * s->q_stride, s->q_stride, columns, width);
    heed_pack_panel_turned(r->d_out + room, d_out + first * s->out_stride, s->out_stride, columns, width);
  }
  for (int64_t d = 0; d < width; d += HEED_PANEL) {
    int64_t room = d / HEED_PANEL * heed_panel_room(QUERIES), columns = heed_at_most(HEED_PANEL, width - d);
    heed_pack_panel(r->query_rows + room, q + d, s->q_stride, columns, count);
    heed_pack_panel(r->d_out_rows + room, d_out + d, s->out_stride, columns, count);
  }
}

/** The chunk's keys and values as left factors, and its first key. */
typedef struct chunk_factors {
  heed_left keys, values, columns;
  int64_t first;
} chunk_factors;

/** Keys [row, row + rows) of the chunk, of the range that begins at `range`, by all panels of queries. */
static void backward_keys(const backward_call *c, const heed_attention_unit *u, const rooms *r, const chunk_factors *f, int64_t range,
                          int64_t row, int64_t rows, const queries_panel *panels, int64_t queries, const heed_draws *draws) {
  int64_t width = c->shape->head_width, first = f->first + row;
  for (int64_t p = 0; p * HEED_PANEL < queries; p++) {
    heed_range keys = {row, row + rows};
    heed_attention_product(r->scores, &f->keys, keys, r->query + p * heed_panel_room(width), width);
    heed_attention_product(r->d_weights, &f->values, keys, r->d_out + p * heed_panel_room(width), width);
    heed_attention_veil(r->scores, u, panels[p].query, panels[p].count, first, rows);
    outcome o = {r->weights, r->d_scores, r->d_score_panels + p * heed_panel_room(r->chunk), p * HEED_PANEL};
    differentiate(&o, r->scores, r->d_weights, rows, row - range, first, &panels[p], c->shape->scale, draws);
  }
  heed_left weights = heed_left_block(r->weights, QUERIES), d_scores = heed_left_block(r->d_scores, QUERIES);
  for (int64_t d = 0; d < width; d += HEED_PANEL) {
    int64_t to = (d / HEED_PANEL * r->chunk + row) * HEED_PANEL, room = d / HEED_PANEL * heed_panel_room(QUERIES);
    heed_block_add(r->d_values + to, &weights, 0, rows, r->d_out_rows + room, queries);
    heed_block_add(r->d_keys + to, &d_scores, 0, rows, r->query_rows + room, queries);
  }
}

static void backward_block(const backward_call *c, const heed_attention_unit *u, const rooms *r, const chunk_factors *f, int64_t query,
                           const heed_draws *draws) {
  int64_t width = c->shape->head_width, count = heed_at_most(QUERIES, u->queries - query);
  heed_range range = heed_attention_range(u, f->first, query, count);
  if (range.first == range.end)
    return;
  queries_panel panels[PANELS];
  for (int64_t p = 0; p * HEED_PANEL < count; p++)
    panels[p] = panel_at(c, u, query + p * HEED_PANEL);
  pack_block(c, u, r, query, count);
  for (int64_t row = range.first; row < range.end; row += HEED_BLOCK)
    backward_keys(c, u, r, f, range.first, row, heed_at_most(HEED_BLOCK, range.end - row), panels, count, draws);
  for (int64_t p = 0; p * HEED_PANEL < count; p++)
    heed_attention_add(r->d_query + (query + p * HEED_PANEL) * heed_in_blocks(width), &f->columns, range, u->keys - f->first,
                       r->d_score_panels + p * heed_panel_room(r->chunk), width);
}

/* ---- a unit ---- */

/** to[rows, width] = factor · sums[panels of width][chunk][32]. */
static void give_rows(heed_element *to, int64_t stride, const float *sums, int64_t chunk, int64_t rows, int64_t width, float factor) {
  for (int64_t row = 0; row < rows; row++)
    for (int64_t d = 0; d < width; d += 16)
      heed_attention_give(to + row * stride + d,
                          *(const heed_lanes16 *)(sums + (d / HEED_PANEL * chunk + row) * HEED_PANEL + d % HEED_PANEL) * factor, width - d);
}

static void backward_unit(const backward_call *c, const heed_attention_unit *u, float *scratch) {
  const heed_attention_shape *s = c->shape;
  int64_t width = s->head_width, panels = heed_in_panels(width) / HEED_PANEL;
  heed_draws draws = heed_attention_draws(u, c->dropout);
  rooms r;
  lay_out(&r, scratch, u->queries, u->keys, width);
  memset(r.d_query, 0, (size_t)(heed_in_panels(u->queries) * heed_in_blocks(width)) * sizeof *r.d_query);
  for (int64_t chunk = 0; chunk < u->keys; chunk += HEED_CHUNK) {
    int64_t count = heed_at_most(HEED_CHUNK, u->keys - chunk), at = (u->kv_first + chunk) * s->kv_stride + u->channel;
    chunk_factors f = {heed_attention_rows(r.keys, c->k + at, s->kv_stride, count, width),
                       heed_attention_rows(r.values, c->v + at, s->kv_stride, count, width),
                       heed_attention_columns(r.columns, c->k + at, s->kv_stride, count, width), chunk};
    memset(r.d_keys, 0, (size_t)(panels * r.chunk * HEED_PANEL) * sizeof *r.d_keys);
    memset(r.d_values, 0, (size_t)(panels * r.chunk * HEED_PANEL) * sizeof *r.d_values);
    for (int64_t query = 0; query < u->queries; query += QUERIES)
      backward_block(c, u, &r, &f, query, &draws);
    give_rows(c->d_k + at, s->kv_stride, r.d_keys, r.chunk, count, width, s->scale);
    give_rows(c->d_v + at, s->kv_stride, r.d_values, r.chunk, count, width, draws.limit ? draws.scale : 1.0f);
  }
  heed_lanes16 scale[2] = {heed_lanes16_of(s->scale), heed_lanes16_of(s->scale)};
  for (int64_t query = 0; query < u->queries; query += HEED_PANEL)
    heed_attention_turn(c->d_q + (u->q_first + query) * s->q_stride + u->channel, s->q_stride, r.d_query + query * heed_in_blocks(width),
                        scale, heed_at_most(HEED_PANEL, u->queries - query), width);
}

void HEED_KERNEL(attention_backward)(void *d_q, void *d_k, void *d_v, const void *d_out, const void *out, const float *lse, const void *q,
                                     const void *k, const void *v, const heed_attention_shape *shape, const heed_dropout *dropout,
                                     float *scratch) {
  backward_call call = {d_q, d_k, d_v, d_out, out, lse, q, k, v, shape, dropout};
  heed_blocks_begin();
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < shape->sequences * shape->heads; item++) {
    heed_attention_unit u = heed_attention_unit_of(shape, item);
    backward_unit(&call, &u, scratch);
  }
  heed_blocks_end();
}
