/* Attention by sequence (Vaswani et al. 2017, eq. 1), one head of one sequence at a time, in blocks of queries.
 *
 *     forward    S = scale·q·kᵀ,  P = softmax(S) = e^(S − lse) over the keys seen, else 0,  P̃ = mask·s·P (dropout),  out = P̃·v
 *     backward   dv = P̃ᵀ·dout,  dP = mask·s·(dout·vᵀ),  δ = Σ_d dout·out (= Σ_j dP·P),  dS = P·(dP − δ)
 *                dq = scale·dS·k,  dk = scale·dSᵀ·q
 *
 * The scores of a block of queries live in scratch only: backward computes them again, and takes P from the saved log-sum-exp without
 * a second pass over the row.  Threads share units of one head of one sequence; one thread takes the blocks of a unit in order, so that dk
 * and dv are summed in one order.  What is computed for a unit depends on that sequence alone. */
#include "kernels/attention.h"

#include "kernels/draws.h"
#include "kernels/vector_math.h"

enum { COUNTERS_A_ROW = 8192 }; /* of dropout: element 8·(query · 8192 + key / 8) + key mod 8 (kernels.h) */

/** Floats of a tile of scores for any number of keys up to `longest`. */
static int64_t most_scores(int64_t longest) {
  int64_t row = heed_in_lanes(longest + 1);
  return heed_at_most(HEED_QUERIES_MOST * row, heed_at_least(HEED_TILE, HEED_QUERIES_LEAST * row));
}

int64_t HEED_KERNEL(attention_scratch)(int64_t longest, int64_t head_width) {
  (void)head_width;
  return 2 * most_scores(longest);
}

static void fill(float *p, int64_t first, int64_t end, float value) {
  for (int64_t j = first; j < end; j++)
    p[j] = value;
}

/** Scores of a row → softmax over its columns in place, 0 elsewhere, the padding included; returns the log-sum-exp.  Whole lanes around the
 *  columns go through the loops. */
static float softmax_row(float *p, heed_range columns, int64_t padded) {
  int64_t from = columns.first / HEED_LANES * HEED_LANES, to = heed_in_lanes(columns.end);
  if (columns.first == columns.end) {
    fill(p, 0, padded, 0.0f);
    return -INFINITY;
  }
  fill(p, 0, from, 0.0f);
  fill(p, from, columns.first, -INFINITY);
  fill(p, columns.end, to, -INFINITY);
  fill(p, to, padded, 0.0f);
  float most[HEED_LANES], sum[HEED_LANES] = {0};
  for (int l = 0; l < HEED_LANES; l++)
    most[l] = -INFINITY;
  for (int64_t j = from; j < to; j += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      most[l] = p[j + l] > most[l] ? p[j + l] : most[l];
  for (int half = HEED_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      most[l] = most[l + half] > most[l] ? most[l + half] : most[l];
  float max = most[0];
#pragma omp simd
  for (int64_t j = from; j < to; j++)
    p[j] = heed_exp(p[j] - max);
  for (int64_t j = from; j < to; j += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      sum[l] += p[j + l];
  float total = heed_lanes_sum(sum), inverse = 1.0f / total;
#pragma omp simd
  for (int64_t j = from; j < to; j++)
    p[j] *= inverse;
  return max + (float)heed_log((double)total);
}

/** Draws of one query, by the places of the keys in the sequence. */
static heed_draw_source row_source(const heed_attention_unit *u, const heed_dropout *dropout, int64_t query) {
  return (heed_draw_source){(uint32_t)query * COUNTERS_A_ROW, dropout->first_row + (uint32_t)u->sequence,
                            dropout->site | (uint32_t)u->head << 16, dropout};
}

/** P → P̃ of one row, whose column 0 is key `key`. */
static void drop_row(float *p, heed_range columns, int64_t key, const heed_draw_source *source) {
  for (int64_t first = columns.first / HEED_LANES * HEED_LANES; first < columns.end; first += HEED_DRAWS) {
    float factor[HEED_DRAWS];
    heed_draw_factors(factor, source, key + first);
    int64_t count = heed_at_most(HEED_DRAWS, columns.end - first);
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
      p[first + i] *= factor[i];
  }
}

static void float_forward(float *out, float *lse, const float *q, const float *k, const float *v, const heed_attention_shape *shape,
                          const heed_dropout *dropout, float *scratch) {
  int64_t width = shape->head_width;
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < shape->sequences * shape->heads; item++) {
    heed_attention_unit u = heed_attention_unit_of(shape, item);
    for (int64_t query = 0; query < u.queries; query += u.rows) {
      heed_attention_block b = heed_attention_block_at(&u, query);
      int64_t token = u.q_first + query;
      heed_attention_scores(scratch, q, k, shape, &u, &b);
      for (int64_t r = 0; r < b.rows; r++) {
        float *p = scratch + r * b.padded;
        heed_range columns = heed_attention_columns(&u, &b, r);
        lse[(token + r) * shape->heads + u.head] = softmax_row(p, columns, b.padded);
        if (dropout->threshold) {
          heed_draw_source source = row_source(&u, dropout, query + r);
          drop_row(p, columns, b.first, &source);
        }
      }
      heed_product(out + token * shape->out_stride + u.channel, shape->out_stride, false, 1.0f, heed_plain(scratch, b.padded),
                   heed_plain(v + (u.kv_first + b.first) * shape->kv_stride + u.channel, shape->kv_stride), b.rows, width, b.keys);
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

/** The columns of one row of a block: scores p → P̃, and dp = dout·vᵀ → dS; column 0 is key `key`. */
static void backward_columns(float *p, float *dp, float lse, float delta, heed_range columns, int64_t key, const heed_draw_source *source) {
  if (source->dropout->threshold == 0) {
#pragma omp simd
    for (int64_t j = columns.first; j < columns.end; j++) {
      p[j] = heed_exp(p[j] - lse);
      dp[j] = p[j] * (dp[j] - delta);
    }
    return;
  }
  for (int64_t first = columns.first / HEED_LANES * HEED_LANES; first < columns.end; first += HEED_DRAWS) {
    float factor[HEED_DRAWS];
    heed_draw_factors(factor, source, key + first);
    int64_t count = heed_at_most(HEED_DRAWS, columns.end - first);
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
      float probability = heed_exp(p[first + i] - lse);
      dp[first + i] = probability * heed_fma(factor[i], dp[first + i], -delta);
      p[first + i] = probability * factor[i];
    }
  }
}

/** What backward reads of forward's, and the gradients that it leaves. */
typedef struct backward_call {
  float *d_q, *d_k, *d_v;
  const float *d_out, *out, *lse, *q, *k, *v;
  const heed_attention_shape *shape;
  const heed_dropout *dropout;
} backward_call;

/** A block of a unit: dq written; dk and dv added to. */
static void backward_block(const backward_call *c, const heed_attention_unit *u, const heed_attention_block *b, float *scratch) {
  const heed_attention_shape *shape = c->shape;
  int64_t width = shape->head_width, token = u->q_first + b->query, padded = b->padded;
  int64_t q_at = token * shape->q_stride + u->channel, out_at = token * shape->out_stride + u->channel;
  int64_t kv_at = (u->kv_first + b->first) * shape->kv_stride + u->channel;
  float *p = scratch, *dp = scratch + b->rows * padded;
  heed_operand query = heed_plain(c->q + q_at, shape->q_stride), d_row = heed_plain(c->d_out + out_at, shape->out_stride);

  heed_attention_scores(p, c->q, c->k, shape, u, b);
  heed_product(dp, padded, false, 1.0f, d_row, heed_transposed(c->v + kv_at, shape->kv_stride), b->rows, b->keys, width);
  for (int64_t r = 0; r < b->rows; r++) {
    heed_range columns = heed_attention_columns(u, b, r);
    heed_draw_source source = row_source(u, c->dropout, b->query + r);
    int64_t row = out_at + r * shape->out_stride;
    backward_columns(p + r * padded, dp + r * padded, c->lse[(token + r) * shape->heads + u->head],
                     dot(c->d_out + row, c->out + row, width), columns, b->first, &source);
    fill(p + r * padded, 0, columns.first, 0.0f);
    fill(p + r * padded, columns.end, b->keys, 0.0f);
    fill(dp + r * padded, 0, columns.first, 0.0f);
    fill(dp + r * padded, columns.end, b->keys, 0.0f);
  }
  heed_product(c->d_v + kv_at, shape->kv_stride, true, 1.0f, heed_transposed(p, padded), d_row, b->keys, width, b->rows);
  heed_product(c->d_q + q_at, shape->q_stride, false, shape->scale, heed_plain(dp, padded), heed_plain(c->k + kv_at, shape->kv_stride),
               b->rows, width, b->keys);
  heed_product(c->d_k + kv_at, shape->kv_stride, true, shape->scale, heed_transposed(dp, padded), query, b->keys, width, b->rows);
}

static void float_backward(float *d_q, float *d_k, float *d_v, const float *d_out, const float *out, const float *lse, const float *q,
                           const float *k, const float *v, const heed_attention_shape *shape, const heed_dropout *dropout, float *scratch) {
  backward_call call = {d_q, d_k, d_v, d_out, out, lse, q, k, v, shape, dropout};
  size_t head_bytes = (size_t)shape->head_width * sizeof(float);
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < shape->sequences * shape->heads; item++) {
    heed_attention_unit u = heed_attention_unit_of(shape, item);
    for (int64_t t = u.kv_first; t < u.kv_first + u.keys; t++) {
      memset(d_k + t * shape->kv_stride + u.channel, 0, head_bytes);
      memset(d_v + t * shape->kv_stride + u.channel, 0, head_bytes);
    }
    for (int64_t query = 0; query < u.queries; query += u.rows) {
      heed_attention_block b = heed_attention_block_at(&u, query);
      backward_block(&call, &u, &b, scratch);
    }
  }
}

#include "kernels/element.h"
#include <stdlib.h>
static void rows_in(float *to, const void *from, int64_t tokens, int64_t stride, int64_t width) {
#pragma omp for
  for (int64_t t = 0; t < tokens; t++)
    heed_values(to + t * width, (const heed_element *)from + t * stride, width);
}
static void rows_out(void *to, const float *from, int64_t tokens, int64_t stride, int64_t width) {
#pragma omp for
  for (int64_t t = 0; t < tokens; t++)
    heed_elements((heed_element *)to + t * stride, from + t * width, width);
}
void HEED_KERNEL(attention_forward)(void *out, float *lse, const void *q, const void *k, const void *v, const heed_attention_shape *shape,
                                    const heed_dropout *dropout, float *scratch) {
  if (sizeof(heed_element) == 4) {
    float_forward(out, lse, q, k, v, shape, dropout, scratch);
    return;
  }
  int64_t w = shape->heads * shape->head_width, tq = shape->q_offsets[shape->sequences], tk = shape->kv_offsets[shape->sequences];
  float *m;
#pragma omp single copyprivate(m)
  m = malloc((size_t)((2 * tq + 2 * tk) * w) * 4);
  float *o = m, *fq = o + tq * w, *fk = fq + tq * w, *fv = fk + tk * w;
  rows_in(fq, q, tq, shape->q_stride, w);
  rows_in(fk, k, tk, shape->kv_stride, w);
  rows_in(fv, v, tk, shape->kv_stride, w);
  heed_attention_shape s = *shape;
  s.q_stride = s.kv_stride = s.out_stride = w;
  float_forward(o, lse, fq, fk, fv, &s, dropout, scratch);
  rows_out(out, o, tq, shape->out_stride, w);
#pragma omp single
  free(m);
}
void HEED_KERNEL(attention_backward)(void *d_q, void *d_k, void *d_v, const void *d_out, const void *out, const float *lse, const void *q,
                                     const void *k, const void *v, const heed_attention_shape *shape, const heed_dropout *dropout,
                                     float *scratch) {
  if (sizeof(heed_element) == 4) {
    float_backward(d_q, d_k, d_v, d_out, out, lse, q, k, v, shape, dropout, scratch);
    return;
  }
  int64_t w = shape->heads * shape->head_width, tq = shape->q_offsets[shape->sequences], tk = shape->kv_offsets[shape->sequences];
  float *m;
#pragma omp single copyprivate(m)
  m = malloc((size_t)((4 * tq + 4 * tk) * w) * 4);
  float *o = m, *fq = o + tq * w, *fk = fq + tq * w, *fv = fk + tk * w, *dout = fv + tk * w, *dq = dout + tq * w, *dk = dq + tq * w,
        *dv = dk + tk * w;
  rows_in(fq, q, tq, shape->q_stride, w);
  rows_in(fk, k, tk, shape->kv_stride, w);
  rows_in(fv, v, tk, shape->kv_stride, w);
  rows_in(o, out, tq, shape->out_stride, w);
  rows_in(dout, d_out, tq, shape->out_stride, w);
  heed_attention_shape s = *shape;
  s.q_stride = s.kv_stride = s.out_stride = w;
  float_backward(dq, dk, dv, dout, o, lse, fq, fk, fv, &s, dropout, scratch);
  rows_out(d_q, dq, tq, shape->q_stride, w);
  rows_out(d_k, dk, tk, shape->kv_stride, w);
  rows_out(d_v, dv, tk, shape->kv_stride, w);
#pragma omp single
  free(m);
}
