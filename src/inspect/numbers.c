#include "inspect/numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* a = row q of A_l; returns its sum. */
static double mix_row(double *a, const float *weights, int64_t q, int64_t heads, int64_t tokens) {
  double sum = 0;
  for (int64_t k = 0; k < tokens; k++)
    a[k] = k == q ? 0.5 : 0;
  for (int64_t h = 0; h < heads; h++)
    for (int64_t k = 0; k < tokens; k++)
      a[k] += 0.5 / (double)heads * (double)weights[(h * tokens + q) * tokens + k];
  for (int64_t k = 0; k < tokens; k++)
    sum += a[k];
  return sum;
}

/* after = A_l · before; a row's order of sums is its own, so threads change nothing. */
static void roll_layer(double *restrict after, const double *restrict before, double *restrict rows, const float *restrict weights,
                       int64_t heads, int64_t tokens) {
#pragma omp parallel for
  for (int64_t q = 0; q < tokens; q++) {
    double *a = rows + q * tokens, *r = after + q * tokens, sum = mix_row(a, weights, q, heads, tokens);
    memset(r, 0, (size_t)tokens * sizeof *r);
    for (int64_t j = 0; j < tokens; j++)
      for (int64_t k = 0; k < tokens; k++)
        r[k] += a[j] / sum * before[j * tokens + k];
  }
}

heed_status heed_rollout(float *restrict rollout, const float *restrict weights, int64_t layers, int64_t heads, int64_t tokens) {
  int64_t map = tokens * tokens;
  double *memory = calloc((size_t)(3 * map), sizeof *memory);
  if (!memory)
    return heed_error(HEED_FAILED, "out of memory for the rollout of %lld tokens", (long long)tokens);
  double *before = memory, *after = memory + map, *rows = memory + 2 * map;
  for (int64_t q = 0; q < tokens; q++)
    before[q * tokens + q] = 1;
  for (int64_t l = 0; l < layers; l++) {
    roll_layer(after, before, rows, weights + l * heads * map, heads, tokens);
    for (int64_t i = 0; i < map; i++)
      rollout[l * map + i] = (float)after[i];
    double *other = before;
    before = after;
    after = other;
  }
  free(memory);
  return HEED_OK;
}

double heed_map_entropy(const float *weights, int64_t tokens) {
  double sum = 0;
  for (int64_t i = 0; i < tokens * tokens; i++)
    if (!(weights[i] <= 0)) /* what is not a number stays so */
      sum -= (double)weights[i] * log((double)weights[i]);
  return sum / (double)tokens;
}
