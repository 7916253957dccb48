/* Attention by sequence (Vaswani et al. 2017, eq. 1), one head of one sequence at a time, in blocks of queries.
 *
 *     forward    S = scale·q·kᵀ,  P = softmax(S) = e^(S − lse),  P̃ = mask·s·P (dropout),  out = P̃·v
 *     backward   dv = P̃ᵀ·dout,  dP = mask·s·(dout·vᵀ),  δ = Σ_d dout·out (= Σ_j dP·P),  dS = P·(dP − δ)
 *                dq = scale·dS·k,  dk = scale·dSᵀ·q
 *
 * The scores of a block of queries live in scratch only: backward computes them again, and takes P from the saved log-sum-exp without
 * a second pass over the row.  Threads share units of one head of one sequence; one thread takes the blocks of a unit in order, so that dk
 * and dv are summed in one order.  What is computed for a unit depends on that sequence alone. */
#include <string.h>

#include "kernels/draws.h"
#include "kernels/lanes.h"
#include "kernels/level.h"
#include "kernels/product.h"
#include "kernels/vector_math.h"

enum {
  TILE = 65536,       /* floats of scores that stay in cache with what they are made of */
  QUERIES_LEAST = 16, /* of a block, however many keys: a product of fewer rows is slow */
  QUERIES_MOST = 128,
  COUNTERS_A_ROW = 8192 /* of dropout: element 8·(query · 8192 + key / 8) + key mod 8 (kernels.h) */
};

/** Queries of a block: a function of the number of keys. */
static int64_t queries_of_block(int64_t keys) {
  int64_t fit = TILE / heed_in_lanes(keys + 1) / HEED_LANES * HEED_LANES;
  return heed_at_most(QUERIES_MOST, heed_at_least(QUERIES_LEAST, fit));
}

/** Floats of a tile of scores for any number of keys up to `longest`. */
static int64_t most_scores(int64_t longest) {
  int64_t row = heed_in_lanes(longest + 1);
  return heed_at_most(QUERIES_MOST * row, heed_at_least(TILE, QUERIES_LEAST * row));
}

int64_t HEED_KERNEL(attention_scratch)(int64_t longest) {
  return 2 * most_scores(longest);
}

/** One head of one sequence: its first tokens in the two streams, and its sizes.  A row of a tile is `padded` floats. */
typedef struct unit {
  int64_t q_first, queries, kv_first, keys, padded, head;
  heed_draw_source source; /* of query 0, key 0 */
} unit;

static unit unit_of(const heed_attention_shape *shape, const heed_dropout *dropout, int64_t item) {
  int64_t b = item / shape->heads, head = item % shape->heads, keys = shape->kv_offsets[b + 1] - shape->kv_offsets[b];
  return (unit){.q_first = shape->q_offsets[b],
                .queries = shape->q_offsets[b + 1] - shape->q_offsets[b],
                .kv_first = shape->kv_offsets[b],
                .keys = keys,
                .padded = heed_in_lanes(keys),
                .head = head,
                .source = {0, dropout->first_row + (uint32_t)b, dropout->site | (uint32_t)head << 16, dropout}};
}

/** Scores of a row → softmax in place; returns the log-sum-exp.  The padding becomes 0. */
static float softmax_row(float *p, int64_t keys, int64_t padded) {
  for (int64_t j = keys; j < padded; j++)
    p[j] = -INFINITY;
  float most[HEED_LANES], sum[HEED_LANES] = {0};
  for (int l = 0; l < HEED_LANES; l++)
    most[l] = -INFINITY;
  for (int64_t j = 0; j < padded; j += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      most[l] = p[j + l] > most[l] ? p[j + l] : most[l];
  for (int half = HEED_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      most[l] = most[l + half] > most[l] ? most[l + half] : most[l];
  float max = most[0];
#pragma omp simd
  for (int64_t j = 0; j < padded; j++)
    p[j] = heed_exp(p[j] - max);
  for (int64_t j = 0; j < padded; j += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      sum[l] += p[j + l];
  float total = heed_lanes_sum(sum), inverse = 1.0f / total;
#pragma omp simd
  for (int64_t j = 0; j < padded; j++)
    p[j] *= inverse;
  return max + (float)heed_log((double)total);
}

/** Rows of one head set to zero: what is summed over no keys, or over no queries. */
static void clear(float *rows, int64_t first, int64_t count, int64_t stride, int64_t channel, int64_t width) {
  for (int64_t t = first; t < first + count; t++)
    memset(rows + t * stride + channel, 0, (size_t)width * sizeof *rows);
}

static heed_draw_source row_source(const unit *u, int64_t query) {
  heed_draw_source source = u->source;
  source.counter = (uint32_t)query * COUNTERS_A_ROW;
  return source;
}

/** P → P̃ of one row. */
static void drop_row(float *p, const unit *u, int64_t query) {
  heed_draw_source source = row_source(u, query);
  for (int64_t first = 0; first < u->padded; first += HEED_DRAWS) {
    float factor[HEED_DRAWS];
    heed_draw_factors(factor, &source, first);
    int64_t count = heed_at_most(HEED_DRAWS, u->padded - first);
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
      p[first + i] *= factor[i];
  }
}

void HEED_KERNEL(attention_forward)(float *out, float *lse, const float *q, const float *k, const float *v,
                                    const heed_attention_shape *shape, const heed_dropout *dropout, float *scratch) {
  int64_t width = shape->head_width;
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < shape->sequences * shape->heads; item++) {
    unit u = unit_of(shape, dropout, item);
    int64_t channel = u.head * width, block = queries_of_block(u.keys);
    const float *keys = k + u.kv_first * shape->kv_stride + channel, *values = v + u.kv_first * shape->kv_stride + channel;
    if (u.keys == 0) {
      clear(out, u.q_first, u.queries, shape->out_stride, channel, width);
      for (int64_t t = u.q_first; t < u.q_first + u.queries; t++)
        lse[t * shape->heads + u.head] = -INFINITY;
      continue;
    }
    for (int64_t first = 0; first < u.queries; first += block) {
      int64_t rows = heed_at_most(block, u.queries - first), token = u.q_first + first;
      heed_product(scratch, u.padded, false, shape->scale, heed_plain(q + token * shape->q_stride + channel, shape->q_stride),
                   heed_transposed(keys, shape->kv_stride), rows, u.keys, width);
      for (int64_t r = 0; r < rows; r++) {
        lse[(token + r) * shape->heads + u.head] = softmax_row(scratch + r * u.padded, u.keys, u.padded);
        if (dropout->threshold)
          drop_row(scratch + r * u.padded, &u, first + r);
      }
      heed_product(out + token * shape->out_stride + channel, shape->out_stride, false, 1.0f, heed_plain(scratch, u.padded),
                   heed_plain(values, shape->kv_stride), rows, width, u.keys);
    }
  }
}

static float dot(const float *a, const float *b, int64_t count) {
  float lane[HEED_LANES] = {0};
  int64_t i = 0;
  for (; i + HEED_LANES <= count; i += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      lane[l] = heed_fma(a[i + l], b[i + l], lane[l]);
  for (int l = 0; i + l < count; l++)
    lane[l] = heed_fma(a[i + l], b[i + l], lane[l]);
  return heed_lanes_sum(lane);
}

/** One row of a block: scores p → P̃, and dp = dout·vᵀ → dS. */
static void backward_row(float *p, float *dp, float lse, float delta, const unit *u, int64_t query) {
  if (u->source.dropout->threshold == 0) {
#pragma omp simd
    for (int64_t j = 0; j < u->keys; j++) {
      p[j] = heed_exp(p[j] - lse);
      dp[j] = p[j] * (dp[j] - delta);
    }
    return;
  }
  heed_draw_source source = row_source(u, query);
  for (int64_t first = 0; first < u->keys; first += HEED_DRAWS) {
    float factor[HEED_DRAWS];
    heed_draw_factors(factor, &source, first);
    int64_t count = heed_at_most(HEED_DRAWS, u->keys - first);
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
      float probability = heed_exp(p[first + i] - lse);
      dp[first + i] = probability * heed_fma(factor[i], dp[first + i], -delta);
      p[first + i] = probability * factor[i];
    }
  }
}

/** The three gradients of one call. */
typedef struct gradients {
  float *q, *k, *v;
} gradients;

/** The block of queries [first, first + rows) of a unit: dq written; dk and dv written by the first block, added to by the others. */
static void backward_block(const gradients *d, const float *d_out, const float *out, const float *lse, const float *q, const float *k,
                           const float *v, const heed_attention_shape *shape, const unit *u, int64_t first, int64_t rows, float *scratch) {
  int64_t width = shape->head_width, channel = u->head * width, token = u->q_first + first, padded = u->padded;
  int64_t q_at = token * shape->q_stride + channel, kv_at = u->kv_first * shape->kv_stride + channel;
  int64_t out_at = token * shape->out_stride + channel;
  float *p = scratch, *dp = scratch + queries_of_block(u->keys) * padded;
  heed_operand query = heed_plain(q + q_at, shape->q_stride), d_row = heed_plain(d_out + out_at, shape->out_stride);

  heed_product(p, padded, false, shape->scale, query, heed_transposed(k + kv_at, shape->kv_stride), rows, u->keys, width);
  heed_product(dp, padded, false, 1.0f, d_row, heed_transposed(v + kv_at, shape->kv_stride), rows, u->keys, width);
  for (int64_t r = 0; r < rows; r++) {
    int64_t row = out_at + r * shape->out_stride;
    backward_row(p + r * padded, dp + r * padded, lse[(token + r) * shape->heads + u->head], dot(d_out + row, out + row, width), u,
                 first + r);
  }
  heed_product(d->v + kv_at, shape->kv_stride, first > 0, 1.0f, heed_transposed(p, padded), d_row, u->keys, width, rows);
  heed_product(d->q + q_at, shape->q_stride, false, shape->scale, heed_plain(dp, padded), heed_plain(k + kv_at, shape->kv_stride), rows,
               width, u->keys);
  heed_product(d->k + kv_at, shape->kv_stride, first > 0, shape->scale, heed_transposed(dp, padded), query, u->keys, width, rows);
}

void HEED_KERNEL(attention_backward)(float *d_q, float *d_k, float *d_v, const float *d_out, const float *out, const float *lse,
                                     const float *q, const float *k, const float *v, const heed_attention_shape *shape,
                                     const heed_dropout *dropout, float *scratch) {
  gradients d = {d_q, d_k, d_v};
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < shape->sequences * shape->heads; item++) {
    unit u = unit_of(shape, dropout, item);
    int64_t block = queries_of_block(u.keys), channel = u.head * shape->head_width;
    if (u.keys == 0)
      clear(d_q, u.q_first, u.queries, shape->q_stride, channel, shape->head_width);
    if (u.queries == 0) {
      clear(d_k, u.kv_first, u.keys, shape->kv_stride, channel, shape->head_width);
      clear(d_v, u.kv_first, u.keys, shape->kv_stride, channel, shape->head_width);
    }
    for (int64_t first = 0; first < u.queries && u.keys > 0; first += block)
      backward_block(&d, d_out, out, lse, q, k, v, shape, &u, first, heed_at_most(block, u.queries - first), scratch);
  }
}

void HEED_KERNEL(attention_weights)(float *weights, const float *q, const float *k, const float *lse, const heed_attention_shape *shape,
                                    int64_t sequence, float *scratch) {
  (void)scratch;
  static const heed_dropout none = {0};
#pragma omp for schedule(dynamic)
  for (int64_t head = 0; head < shape->heads; head++) {
    unit u = unit_of(shape, &none, sequence * shape->heads + head);
    int64_t channel = head * shape->head_width;
    float *map = weights + head * u.queries * u.keys;
    heed_product(map, u.keys, false, shape->scale, heed_plain(q + u.q_first * shape->q_stride + channel, shape->q_stride),
                 heed_transposed(k + u.kv_first * shape->kv_stride + channel, shape->kv_stride), u.queries, u.keys, shape->head_width);
    for (int64_t i = 0; i < u.queries; i++) {
      float row_lse = lse[(u.q_first + i) * shape->heads + head];
      for (int64_t j = 0; j < u.keys; j++)
        map[i * u.keys + j] = heed_exp(map[i * u.keys + j] - row_lse);
    }
  }
}
