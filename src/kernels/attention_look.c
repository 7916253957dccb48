/* Looking at attention: the weights that forward took, and how spread they are.  Both compute the scores again, block by block as forward
 * did, and take P = e^(S − lse) from the saved log-sum-exp. */
#include "kernels/attention.h"
#include "kernels/vector_math.h"

void HEED_KERNEL(attention_weights)(float *weights, const void *q, const void *k, const float *lse, const heed_attention_shape *shape,
                                    int64_t sequence, float *scratch) {
#pragma omp for schedule(dynamic)
  for (int64_t head = 0; head < shape->heads; head++) {
    heed_attention_unit u = heed_attention_unit_of(shape, sequence * shape->heads + head);
    float *map = weights + head * u.queries * u.keys;
    memset(map, 0, (size_t)(u.queries * u.keys) * sizeof *map);
    for (int64_t query = 0; query < u.queries; query += u.rows) {
      heed_attention_block b = heed_attention_block_at(&u, query);
      heed_attention_scores(scratch, q, k, shape, &u, &b);
      for (int64_t r = 0; r < b.rows; r++) {
        heed_range columns = heed_attention_columns(&u, &b, r);
        const float *scores = scratch + r * b.padded;
        float *row = map + (query + r) * u.keys + b.first, row_lse = lse[(u.q_first + query + r) * shape->heads + head];
#pragma omp simd
        for (int64_t j = columns.first; j < columns.end; j++)
          row[j] = heed_exp(scores[j] - row_lse);
      }
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
    for (int64_t query = 0; query < u.queries; query += u.rows) {
      heed_attention_block b = heed_attention_block_at(&u, query);
      heed_attention_scores(scratch, q, k, shape, &u, &b);
      for (int64_t r = 0; r < b.rows; r++) {
        heed_range columns = heed_attention_columns(&u, &b, r);
        sum -= (double)row_sum(scratch + r * b.padded + columns.first, lse[(u.q_first + query + r) * shape->heads + u.head],
                               columns.end - columns.first);
      }
    }
    entropy[item] = sum;
  }
}
