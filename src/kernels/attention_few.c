/* Attention of a few queries, as generation asks for one token at a time: what takes time is reading keys and values, so they are read
 * once, where they lie, and nothing is packed. */
#include "kernels/attention.h"

int64_t HEED_KERNEL(attention_few_scratch)(int64_t longest, int64_t head_width) {
  return HEED_FEW_QUERIES * heed_in_lanes(longest) + heed_in_lanes(head_width);
}

void HEED_KERNEL(attention_row_scores)(float *scores, const heed_element *q, const heed_element *k, int64_t stride, int64_t keys,
                                       int64_t width, float scale) {
  for (int64_t key = 0; key < keys; key += 16) {
    heed_lanes16 dots = heed_attention_dots(k + key * stride, stride, q, 0, keys - key, width) * scale;
    memcpy(scores + key, &dots, sizeof dots);
  }
}

/** Scores → e^(S − most), 0 for those that fill the last lanes; returns their sum. */
static float weigh(float *scores, int64_t keys, float *most) {
  heed_lanes16 highest = heed_lanes16_of(-INFINITY), sums = {0};
  for (int64_t key = keys; key < heed_in_lanes(keys); key++)
    scores[key] = -INFINITY;
  for (int64_t key = 0; key < keys; key += 16)
    highest = heed_larger(highest, *(heed_lanes16 *)(scores + key));
  *most = highest[0];
  for (int i = 1; i < 16; i++)
    *most = highest[i] > *most ? highest[i] : *most;
  for (int64_t key = 0; key < keys; key += 16) {
    heed_lanes16 weights = heed_lanes16_exp(*(heed_lanes16 *)(scores + key) - *most);
    sums += weights;
    memcpy(scores + key, &weights, sizeof weights);
  }
  float sum = 0.0f;
  for (int i = 0; i < 16; i++)
    sum += sums[i];
  return sum;
}

/** out[width] += Σ_key weights[key] · v[key], eight keys between two looks at out. */
static void add_values(float *out, const float *weights, const heed_element *v, int64_t stride, int64_t keys, int64_t width) {
  for (int64_t d = 0; d < width; d += 16) {
    heed_lanes16 *to = (heed_lanes16 *)(out + d), sum = *to;
    for (int64_t key = 0; key < keys; key++)
      sum = heed_lanes16_fma(heed_lanes16_of(weights[key]), heed_attention_take(v + key * stride + d, width - d), sum);
    *to = sum;
  }
}

void HEED_KERNEL(attention_few)(heed_element *out, float *lse, const heed_element *q, const heed_element *k, const heed_element *v,
                                const heed_attention_shape *s, const heed_attention_unit *u, float *scratch) {
  enum { KEYS = 8 };
  int64_t width = s->head_width;
  float *sums = scratch, *scores = scratch + heed_in_lanes(width);
  for (int64_t query = 0; query < u->queries; query++) {
    int64_t token = u->q_first + query;
    heed_range seen = heed_attention_seen(u, query);
    int64_t keys = seen.end - seen.first, at = (u->kv_first + seen.first) * s->kv_stride + u->channel;
    float most, sum = 0.0f;
    memset(sums, 0, (size_t)heed_in_lanes(width) * sizeof *sums);
    if (keys > 0) {
      HEED_KERNEL(attention_row_scores)(scores, q + token * s->q_stride + u->channel, k + at, s->kv_stride, keys, width, s->scale);
      sum = weigh(scores, keys, &most);
    }
    for (int64_t key = 0; key < keys; key += KEYS)
      add_values(sums, scores + key, v + at + key * s->kv_stride, s->kv_stride, heed_at_most(KEYS, keys - key), width);
    lse[token * s->heads + u->head] = keys > 0 ? most + (float)heed_log((double)sum) : -INFINITY;
    for (int64_t d = 0; d < width; d += 16)
      heed_attention_give(out + token * s->out_stride + u->channel + d, *(heed_lanes16 *)(sums + d) * (keys > 0 ? 1.0f / sum : 0.0f),
                          width - d);
  }
}
