#include "evaluate/likeliest.h"

#include <math.h>

/* An insertion into a short sorted list. */
bool heed_likeliest(heed_prediction *best, int64_t top, const float *logits, int64_t vocabulary) {
  double highest = -INFINITY, sum = 0;
  int64_t kept = 0;
  for (int64_t v = 0; v < vocabulary; v++)
    highest = logits[v] > highest ? logits[v] : highest;
  for (int64_t v = 0; v < vocabulary; v++) {
    double weight = exp(logits[v] - highest);
    sum += weight;
    if (kept == top && weight <= best[top - 1].probability)
      continue;
    int64_t at = kept < top ? kept++ : top - 1;
    for (; at > 0 && best[at - 1].probability < weight; at--)
      best[at] = best[at - 1];
    best[at] = (heed_prediction){(int32_t)v, weight};
  }
  for (int64_t i = 0; i < kept; i++)
    best[i].probability /= sum;
  return isfinite(sum);
}

heed_status heed_likeliest_check(int64_t top, int64_t vocabulary) {
  if (top >= 1 && top <= vocabulary)
    return HEED_OK;
  return heed_error(HEED_INVALID, "%lld predictions a place are not possible; the vocabulary has %lld tokens", (long long)top,
                    (long long)vocabulary);
}
