/** Attention in double, a query at a time (Vaswani et al. 2017, eq. 1). */
#ifndef HEED_TESTS_REFERENCE_ATTENTION_H
#define HEED_TESTS_REFERENCE_ATTENTION_H

#include <math.h>

#include "reference/dropout.h"
#include "reference/numbers.h"

static inline double reference_dot(const double *a, const double *b, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; i++)
    sum += a[i] * b[i];
  return sum;
}

static inline int64_t reference_attention_keys(const heed_attention_shape *s, int64_t b) {
  return (s->kv_ends ? s->kv_ends[b] : s->kv_offsets[b + 1]) - s->kv_offsets[b];
}

/** Whether query token t of sequence b sees its key j. */
static inline bool reference_attention_sees(const heed_attention_shape *s, int64_t b, int64_t t, int64_t j) {
  int64_t place = reference_attention_keys(s, b) - (s->q_offsets[b + 1] - t);
  return (s->behind == HEED_EVERYWHERE || j >= place - s->behind) && (s->ahead == HEED_EVERYWHERE || j <= place + s->ahead);
}

/** p[j] = softmax over the keys that query token t of sequence b sees, 0 for the others; returns the log-sum-exp. */
static inline double reference_attention_row(double *p, const double *q, const double *k, const heed_attention_shape *s, int64_t b,
                                             int64_t t, int64_t head) {
  int64_t first = s->kv_offsets[b], keys = reference_attention_keys(s, b);
  double most = -INFINITY, sum = 0.0;
  for (int64_t j = 0; j < keys; j++) {
    p[j] = -INFINITY;
    if (reference_attention_sees(s, b, t, j))
      p[j] = (double)s->scale * reference_dot(q + t * s->q_stride + head * s->head_width,
                                              k + (first + j) * s->kv_stride + head * s->head_width, s->head_width);
    most = fmax(most, p[j]);
  }
  for (int64_t j = 0; j < keys; j++)
    sum += p[j] = p[j] == -INFINITY ? 0.0 : exp(p[j] - most);
  for (int64_t j = 0; j < keys && sum > 0.0; j++)
    p[j] /= sum;
  return most + log(sum);
}

static inline double reference_attention_factor(const heed_dropout *dropout, int64_t b, int64_t head, int64_t query, int64_t key) {
  return reference_dropout_factor(dropout, b, head, 8 * (query * 8192 + key / 8) + key % 8);
}

static inline void reference_attention_forward(double *out, double *lse, const double *q, const double *k, const double *v,
                                               const heed_attention_shape *s, const heed_dropout *dropout) {
  double *p = test_doubles(8192);
  for (int64_t b = 0; b < s->sequences; b++)
    for (int64_t t = s->q_offsets[b]; t < s->q_offsets[b + 1]; t++)
      for (int64_t head = 0; head < s->heads; head++) {
        double *row = out + t * s->out_stride + head * s->head_width;
        lse[t * s->heads + head] = reference_attention_row(p, q, k, s, b, t, head);
        for (int64_t d = 0; d < s->head_width; d++)
          row[d] = 0.0;
        for (int64_t j = 0; j < reference_attention_keys(s, b); j++) {
          double weight = p[j] * reference_attention_factor(dropout, b, head, t - s->q_offsets[b], j);
          for (int64_t d = 0; d < s->head_width; d++)
            row[d] += weight * v[(s->kv_offsets[b] + j) * s->kv_stride + head * s->head_width + d];
        }
      }
}

/** d_q, d_k, d_v are added to. */
static inline void reference_attention_backward(double *d_q, double *d_k, double *d_v, const double *d_out, const double *q,
                                                const double *k, const double *v, const heed_attention_shape *s,
                                                const heed_dropout *dropout) {
  double *p = test_doubles(8192), *d_p = test_doubles(8192);
  for (int64_t b = 0; b < s->sequences; b++)
    for (int64_t t = s->q_offsets[b]; t < s->q_offsets[b + 1]; t++)
      for (int64_t head = 0; head < s->heads; head++) {
        int64_t keys = reference_attention_keys(s, b), width = s->head_width, q_at = t * s->q_stride + head * width;
        const double *d_row = d_out + t * s->out_stride + head * width;
        double mean = 0.0;
        reference_attention_row(p, q, k, s, b, t, head);
        for (int64_t j = 0; j < keys; j++) {
          int64_t kv_at = (s->kv_offsets[b] + j) * s->kv_stride + head * width;
          double factor = reference_attention_factor(dropout, b, head, t - s->q_offsets[b], j);
          for (int64_t d = 0; d < width; d++)
            d_v[kv_at + d] += p[j] * factor * d_row[d];
          d_p[j] = factor * reference_dot(d_row, v + kv_at, width);
          mean += p[j] * d_p[j];
        }
        for (int64_t j = 0; j < keys; j++) {
          int64_t kv_at = (s->kv_offsets[b] + j) * s->kv_stride + head * width;
          double d_score = p[j] * (d_p[j] - mean) * (double)s->scale;
          for (int64_t d = 0; d < width; d++) {
            d_q[q_at + d] += d_score * k[kv_at + d];
            d_k[kv_at + d] += d_score * q[q_at + d];
          }
        }
      }
}

/** weights[H, queries, keys] of one sequence. */
static inline void reference_attention_weights(double *weights, const double *q, const double *k, const heed_attention_shape *s,
                                               int64_t b) {
  for (int64_t head = 0; head < s->heads; head++)
    for (int64_t t = s->q_offsets[b]; t < s->q_offsets[b + 1]; t++, weights += reference_attention_keys(s, b))
      reference_attention_row(weights, q, k, s, b, t, head);
}

/** entropy[b·H + h] = −Σ P·ln P over the queries and keys of a head of a sequence. */
static inline void reference_attention_entropy(double *entropy, const double *q, const double *k, const heed_attention_shape *s) {
  double *p = test_doubles(8192);
  for (int64_t b = 0; b < s->sequences; b++)
    for (int64_t head = 0; head < s->heads; head++) {
      double sum = 0.0;
      for (int64_t t = s->q_offsets[b]; t < s->q_offsets[b + 1]; t++) {
        reference_attention_row(p, q, k, s, b, t, head);
        for (int64_t j = 0; j < reference_attention_keys(s, b); j++)
          sum -= p[j] > 0.0 ? p[j] * log(p[j]) : 0.0;
      }
      entropy[b * s->heads + head] = sum;
    }
}

#endif
