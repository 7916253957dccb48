/* Softmax and cross-entropy in one pass over rows of logits, so that probabilities are never stored.
 *
 *     loss = log Σ_v e^(z_v − max) + max − z_target,   dz = scale·(softmax(z) − one-hot(target))
 *
 * A row of logits stays in cache while it is read three times: maximum, exponentials and their sum, gradient. */
#include <stddef.h>

#include "kernels/element.h"
#include "kernels/lanes.h"
#include "kernels/level.h"
#include "kernels/vector_math.h"

enum { BLOCK = 512 }; /* elements summed in float lanes before the sum goes on in double */

static float maximum(const float *z, int64_t count) {
  float lane[HEED_LANES];
  for (int l = 0; l < HEED_LANES; l++)
    lane[l] = -INFINITY;
  int64_t v = 0;
  for (; v + HEED_LANES <= count; v += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      lane[l] = z[v + l] > lane[l] ? z[v + l] : lane[l];
  for (; v < count; v++)
    lane[0] = z[v] > lane[0] ? z[v] : lane[0];
  for (int l = 1; l < HEED_LANES; l++)
    lane[0] = lane[l] > lane[0] ? lane[l] : lane[0];
  return lane[0];
}

/** Σ e^(z − max); with `e` the exponentials are kept there. */
static double exponential_sum(float *e, const float *z, float max, int64_t count) {
  double sum = 0.0;
  for (int64_t first = 0; first < count; first += BLOCK) {
    int64_t length = heed_at_most(BLOCK, count - first);
    float value[BLOCK], lane[HEED_LANES] = {0};
#pragma omp simd
    for (int64_t i = 0; i < length; i++)
      value[i] = heed_exp(z[first + i] - max);
    for (int64_t i = length; i < heed_in_lanes(length); i++)
      value[i] = 0.0f;
    for (int64_t i = 0; i < length; i += HEED_LANES)
      for (int l = 0; l < HEED_LANES; l++)
        lane[l] += value[i + l];
    sum += (double)heed_lanes_sum(lane);
    for (int64_t i = 0; e && i < length; i++)
      e[first + i] = value[i];
  }
  return sum;
}

void HEED_KERNEL(softmax_cross_entropy)(double *loss, void *d_logits, float *logits, const int32_t *target, int64_t rows,
                                        int64_t vocabulary, float scale) {
#pragma omp for schedule(static)
  for (int64_t m = 0; m < rows; m++) {
    float *z = logits + m * vocabulary;
    float max = maximum(z, vocabulary);
    double at_target = (double)z[target[m]], sum = exponential_sum(d_logits ? z : NULL, z, max, vocabulary);
    loss[m] = heed_log(sum) + (double)max - at_target;
    if (!d_logits)
      continue;
    heed_element *d_z = (heed_element *)d_logits + m * vocabulary;
    float factor = (float)((double)scale / sum), hit = z[target[m]] * factor - scale;
#pragma omp simd
    for (int64_t v = 0; v < vocabulary; v++)
      d_z[v] = heed_element_of(z[v] * factor);
    d_z[target[m]] = heed_element_of(hit);
  }
}
