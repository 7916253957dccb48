/* Looking at attention: the weights that forward took, and how spread they are.  Both compute the scores again, row by row, and take
 * P = e^(S − lse) from the saved log-sum-exp. */
#include "kernels/attention.h"

/** scores[seen.first …] of one query; the lanes behind the last are overwritten. */
static heed_range row_scores(float *scores, const heed_element *q, const heed_element *k, const heed_attention_shape *s,
                             const heed_attention_unit *u, int64_t query) {
  heed_range seen = heed_attention_seen(u, query);
  HEED_KERNEL(attention_row_scores)
  (scores, q + (u->q_first + query) * s->q_stride + u->channel, k + (u->kv_first + seen.first) * s->kv_stride + u->channel, s->kv_stride,
   seen.end - seen.first, s->head_width, s->scale);
  return seen;
}

void HEED_KERNEL(attention_weights)(float *weights, const void *q, const void *k, const float *lse, const heed_attention_shape *shape,
                                    int64_t sequence, float *scratch) {
#pragma omp for schedule(dynamic)
  for (int64_t head = 0; head < shape->heads; head++) {
    heed_attention_unit u = heed_attention_unit_of(shape, sequence * shape->heads + head);
    float *row = weights + head * u.queries * u.keys;
    memset(row, 0, (size_t)(u.queries * u.keys) * sizeof *row);
    for (int64_t query = 0; query < u.queries; query++, row += u.keys) {
      heed_range seen = row_scores(scratch, q, k, shape, &u, query);
      float row_lse = lse[(u.q_first + query) * shape->heads + head];
#pragma omp simd
      for (int64_t j = seen.first; j < seen.end; j++)
        row[j] = heed_exp(scratch[j - seen.first] - row_lse);
    }
  }
}

/** Σ P·ln P of one row.  A weight of 0 counts as 0, whatever its logarithm. */
static float row_sum(const float *scores, float lse, int64_t count) {
  float lane[HEED_LANES] = {0};
  for (int64_t j = 0; j < count; j += HEED_LANES) {
    int64_t lanes = heed_at_most(HEED_LANES, count - j);
#pragma omp simd
    for (int64_t l = 0; l < lanes; l++) {
      float logarithm = scores[j + l] - lse, p = heed_exp(logarithm);
      lane[l] += p == 0.0f ? 0.0f : p * logarithm;
    }
  }
  return heed_lanes_sum(lane);
}

void HEED_KERNEL(attention_entropy)(double *entropy, const void *q, const void *k, const float *lse, const heed_attention_shape *shape,
                                    float *scratch) {
#pragma omp for schedule(dynamic)
  for (int64_t item = 0; item < shape->sequences * shape->heads; item++) {
    heed_attention_unit u = heed_attention_unit_of(shape, item);
    double sum = 0.0;
    for (int64_t query = 0; query < u.queries; query++) {
      heed_range seen = row_scores(scratch, q, k, shape, &u, query);
      sum -= (double)row_sum(scratch, lse[(u.q_first + query) * shape->heads + u.head], seen.end - seen.first);
    }
    entropy[item] = sum;
  }
}
