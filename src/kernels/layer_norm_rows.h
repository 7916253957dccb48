/** Private to kernels/: layer normalisation row by row, for the kernels that do more to a row while it is in the first cache. */
#ifndef HEED_KERNELS_LAYER_NORM_ROWS_H
#define HEED_KERNELS_LAYER_NORM_ROWS_H

#include <math.h>

#include "kernels/column_sums.h"
#include "kernels/element.h"
#include "kernels/lanes.h"
#include "kernels/level.h"
#include "kernels/vector_math.h"

/* ---- forward ---- */

static inline float heed_mean_of(const float *x, int64_t width) {
  float lane[HEED_LANES] = {0};
  int64_t c = 0;
  for (; c + HEED_LANES <= width; c += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      lane[l] += x[c + l];
  for (int l = 0; c + l < width; l++)
    lane[l] += x[c + l];
  return heed_lanes_sum(lane) / (float)width;
}

static inline float heed_variance_of(const float *x, float mean, int64_t width) {
  float lane[HEED_LANES] = {0};
  int64_t c = 0;
  for (; c + HEED_LANES <= width; c += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++) {
      float difference = x[c + l] - mean;
      lane[l] = heed_fma(difference, difference, lane[l]);
    }
  for (int l = 0; c + l < width; l++) {
    float difference = x[c + l] - mean;
    lane[l] = heed_fma(difference, difference, lane[l]);
  }
  return heed_lanes_sum(lane) / (float)width;
}

static inline void heed_normalise(float *y, const float *x, float mean, float rstd, const float *gamma, const float *beta, int64_t count) {
  if (beta) {
#pragma omp simd
    for (int64_t c = 0; c < count; c++)
      y[c] = heed_fma((x[c] - mean) * rstd, gamma[c], beta[c]);
  } else {
#pragma omp simd
    for (int64_t c = 0; c < count; c++)
      y[c] = heed_fma((x[c] - mean) * rstd, gamma[c], 0.0f);
  }
}

enum { HEED_NORM_PART = 256 }; /* elements of a row that are made at a time, from floats nobody keeps */

/** The norm of one row, as floats, as elements, or both; mean and rstd: the row's places. */
static inline void heed_normalise_row(float *y, heed_element *elements, float *mean, float *rstd, const float *x, const float *gamma,
                                      const float *beta, int64_t width, float epsilon) {
  float m = *mean = heed_mean_of(x, width), s = *rstd = 1.0f / sqrtf(heed_variance_of(x, m, width) + epsilon);
  if (y) {
    heed_normalise(y, x, m, s, gamma, beta, width);
    if (elements)
      heed_elements(elements, y, width);
    return;
  }
  for (int64_t first = 0; first < width; first += HEED_NORM_PART) {
    float part[HEED_NORM_PART];
    int64_t count = heed_at_most(HEED_NORM_PART, width - first);
    heed_normalise(part, x + first, m, s, gamma + first, beta ? beta + first : NULL, count);
    heed_elements(elements + first, part, count);
  }
}

/* ---- backward ---- */

enum { HEED_NORM_ROWS = 4 }; /* taken at a time, so that the sums over rows are loaded and stored once for them all */

/** What backward is given. */
typedef struct heed_norm_backward {
  float *d_x; /* written, or added to */
  const float *d_y, *x, *mean, *rstd, *gamma;
  int64_t width;
} heed_norm_backward;

/** means[0] = mean_c(γ·dy), means[1] = mean_c(γ·dy·x̂) of one row. */
static inline void heed_norm_row_means(float means[2], const float *d_y, const float *x, const float *gamma, float mean, float rstd,
                                       int64_t width) {
  float plain[HEED_LANES] = {0}, weighted[HEED_LANES] = {0};
  int64_t c = 0;
  for (; c + HEED_LANES <= width; c += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++) {
      float g = gamma[c + l] * d_y[c + l];
      plain[l] += g;
      weighted[l] = heed_fma(g, (x[c + l] - mean) * rstd, weighted[l]);
    }
  for (int l = 0; c + l < width; l++) {
    float g = gamma[c + l] * d_y[c + l];
    plain[l] += g;
    weighted[l] = heed_fma(g, (x[c + l] - mean) * rstd, weighted[l]);
  }
  means[0] = heed_lanes_sum(plain) / (float)width;
  means[1] = heed_lanes_sum(weighted) / (float)width;
}

/** `rows` rows from t on, a constant: d_x, and d_gamma[width], d_beta[width] of the block they belong to, added. */
static inline __attribute__((always_inline)) void heed_norm_backward_some(const heed_norm_backward *n, float *d_gamma, float *d_beta,
                                                                          int64_t t, const int rows, const bool add) {
  const int64_t width = n->width;
  const float *d_y = n->d_y + t * width, *x = n->x + t * width, *gamma = n->gamma;
  float *d_x = n->d_x + t * width, means[HEED_NORM_ROWS][2], mean[HEED_NORM_ROWS], rstd[HEED_NORM_ROWS];
  for (int r = 0; r < rows; r++) {
    mean[r] = n->mean[t + r];
    rstd[r] = n->rstd[t + r];
    heed_norm_row_means(means[r], d_y + r * width, x + r * width, gamma, mean[r], rstd[r], width);
  }
#pragma omp simd
  for (int64_t c = 0; c < width; c++) {
    float gain = d_gamma[c], shift = d_beta[c];
#pragma GCC unroll 4
    for (int r = 0; r < rows; r++) {
      float d = d_y[r * width + c], normal = (x[r * width + c] - mean[r]) * rstd[r];
      gain = heed_fma(d, normal, gain);
      shift += d;
      float value = rstd[r] * (heed_fma(gamma[c], d, -means[r][0]) - normal * means[r][1]);
      d_x[r * width + c] = add ? d_x[r * width + c] + value : value;
    }
    d_gamma[c] = gain;
    d_beta[c] = shift;
  }
}

/** Likewise of at most HEED_NORM_ROWS rows; sums: d_gamma before d_beta. */
static inline void heed_norm_backward_rows(const heed_norm_backward *n, bool add, float *sums, int64_t t, int64_t rows) {
  float *d_gamma = sums, *d_beta = sums + n->width;
  if (rows == HEED_NORM_ROWS && add)
    heed_norm_backward_some(n, d_gamma, d_beta, t, HEED_NORM_ROWS, true);
  else if (rows == HEED_NORM_ROWS)
    heed_norm_backward_some(n, d_gamma, d_beta, t, HEED_NORM_ROWS, false);
  else
    for (int64_t r = 0; r < rows; r++)
      if (add)
        heed_norm_backward_some(n, d_gamma, d_beta, t + r, 1, true);
      else
        heed_norm_backward_some(n, d_gamma, d_beta, t + r, 1, false);
}

/** Where a block's sums lie in the workspace, cleared. */
static inline float *heed_norm_block_sums(float *workspace, int64_t block, int64_t width) {
  return memset(workspace + block * 2 * width, 0, (size_t)(2 * width) * sizeof(float));
}

/** d_gamma and d_beta (may be NULL): the sums of all blocks.  Shared by the threads. */
static inline void heed_norm_add_blocks(float *d_gamma, float *d_beta, const float *workspace, const int64_t *starts, int64_t slices,
                                        int64_t width, float *scratch) {
#pragma omp for schedule(dynamic)
  for (int64_t column = 0; column < width; column += HEED_BAND) {
    int64_t columns = heed_at_most(HEED_BAND, width - column);
    heed_sum_blocks(d_gamma + column, workspace + column, 2 * width, starts, slices, columns, scratch);
    if (d_beta)
      heed_sum_blocks(d_beta + column, workspace + width + column, 2 * width, starts, slices, columns, scratch);
  }
}

/** What else is done to rows [first, end) while they are in the first cache. */
typedef void heed_rows_work(const void *self, int64_t first, int64_t end);

/** Backward of all rows, block by block, and what is done `before` and `after` them (either may be NULL).  Shared by the threads.
 *  `before` and `after` are constants where it is called. */
static inline __attribute__((always_inline)) void heed_norm_backward_blocks(const heed_norm_backward *n, bool add,
                                                                            heed_rows_work *const before, heed_rows_work *const after,
                                                                            const void *self, float *d_gamma, float *d_beta,
                                                                            const int64_t *starts, int64_t slices, float *workspace,
                                                                            float *scratch) {
  heed_block_walk walk = {0};
#pragma omp for schedule(static)
  for (int64_t block = 0; block < heed_row_blocks(starts, slices); block++) {
    float *sums = heed_norm_block_sums(workspace, block, n->width);
    heed_walk_to_block(&walk, block, starts);
    for (int64_t t = walk.first; t < walk.end; t += HEED_NORM_ROWS) {
      int64_t stop = heed_at_most(walk.end, t + HEED_NORM_ROWS);
      if (before)
        before(self, t, stop);
      heed_norm_backward_rows(n, add, sums, t, stop - t);
      if (after)
        after(self, t, stop);
    }
  }
  heed_norm_add_blocks(d_gamma, d_beta, workspace, starts, slices, n->width, scratch);
}

#endif
