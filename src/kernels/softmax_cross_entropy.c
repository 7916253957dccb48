/* Softmax and cross-entropy in one pass over rows of logits, so that probabilities are never stored.
 *
 *     loss = log Σ_v e^(z_v − max) + max − z_target,   dz = scale·(softmax(z) − one-hot(target))
 *
 * A row of logits stays in cache while it is read three times: maximum, exponentials and their sum, gradient.  Where the vocabulary is
 * split each part does as much by itself as it can, and the rest when it knows the others' maxima and sums (Shoeybi et al. 2019, §3). */
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

/** dz = e · factor, less `scale` at the target; target −1: it is not here.  dz may be e's memory. */
static void gradient_row(heed_element *d_z, const float *e, int64_t target, float factor, float scale, int64_t vocabulary) {
  const float hit = target < 0 ? 0.0f : e[target] * factor - scale;
#pragma omp simd
  for (int64_t v = 0; v < vocabulary; v++)
    d_z[v] = heed_element_of(e[v] * factor);
  if (target >= 0)
    d_z[target] = heed_element_of(hit);
}

void HEED_KERNEL(softmax_cross_entropy)(double *loss, void *d_logits, float *logits, const int32_t *target, int64_t rows,
                                        int64_t vocabulary, float scale) {
#pragma omp for schedule(static)
  for (int64_t m = 0; m < rows; m++) {
    float *z = logits + m * vocabulary;
    float max = maximum(z, vocabulary);
    double at_target = (double)z[target[m]], sum = exponential_sum(d_logits ? z : NULL, z, max, vocabulary);
    loss[m] = heed_log(sum) + (double)max - at_target;
    if (d_logits)
      gradient_row((heed_element *)d_logits + m * vocabulary, z, target[m], (float)((double)scale / sum), scale, vocabulary);
  }
}

/** The target's place in a part, −1 where it is another part's. */
static int64_t place_of(int32_t target, int64_t first, int64_t vocabulary) {
  return target >= first && target < first + vocabulary ? target - first : -1;
}

void HEED_KERNEL(softmax_sums)(double (*sums)[HEED_SOFTMAX_SUMS], float *logits, const int32_t *target, int64_t first, int64_t rows,
                               int64_t vocabulary, bool keep) {
#pragma omp for schedule(static)
  for (int64_t m = 0; m < rows; m++) {
    float *z = logits + m * vocabulary;
    const float max = maximum(z, vocabulary);
    const int64_t at = place_of(target[m], first, vocabulary);
    sums[m][HEED_SOFTMAX_MAXIMUM] = (double)max;
    sums[m][HEED_SOFTMAX_AT_TARGET] = at < 0 ? 0.0 : (double)z[at];
    sums[m][HEED_SOFTMAX_SUM] = exponential_sum(keep ? z : NULL, z, max, vocabulary);
  }
}

void HEED_KERNEL(softmax_cross_entropy_of_parts)(double *loss, void *d_logits, const float *exponentials,
                                                 const double (*sums)[HEED_SOFTMAX_SUMS], int parts, int part, const int32_t *target,
                                                 int64_t first, int64_t rows, int64_t vocabulary, float scale) {
#pragma omp for schedule(static)
  for (int64_t m = 0; m < rows; m++) {
    double max = sums[m][HEED_SOFTMAX_MAXIMUM], sum = 0.0, at_target = 0.0;
    for (int p = 1; p < parts; p++)
      max = fmax(max, sums[p * rows + m][HEED_SOFTMAX_MAXIMUM]);
    for (int p = 0; p < parts; p++) {
      const double *theirs = sums[p * rows + m];
      sum += theirs[HEED_SOFTMAX_SUM] * (double)heed_exp((float)(theirs[HEED_SOFTMAX_MAXIMUM] - max));
      at_target += theirs[HEED_SOFTMAX_AT_TARGET];
    }
    loss[m] = heed_log(sum) + max - at_target;
    if (!d_logits)
      continue;
    const double own = (double)heed_exp((float)(sums[part * rows + m][HEED_SOFTMAX_MAXIMUM] - max));
    gradient_row((heed_element *)d_logits + m * vocabulary, exponentials + m * vocabulary, place_of(target[m], first, vocabulary),
                 (float)((double)scale * own / sum), scale, vocabulary);
  }
}
