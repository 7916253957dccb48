/* Layer normalisation (Ba et al. 2016, eq. 4).
 *
 *     forward    x̂ = (x − mean)·rstd,  y = x̂·γ + β
 *     backward   dβ = Σ dy,  dγ = Σ dy·x̂,  dx = rstd·(γ·dy − mean_c(γ·dy) − x̂·mean_c(γ·dy·x̂))
 *
 * Mean and variance take two passes over the row, which is in cache then: Σ x² − mean² would cancel. */
#include <math.h>

#include "kernels/column_sums.h"
#include "kernels/element.h"
#include "kernels/lanes.h"
#include "kernels/level.h"
#include "kernels/tree.h"
#include "kernels/vector_math.h"

static float mean_of(const float *x, int64_t width) {
  float lane[HEED_LANES] = {0};
  int64_t c = 0;
  for (; c + HEED_LANES <= width; c += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      lane[l] += x[c + l];
  for (int l = 0; c + l < width; l++)
    lane[l] += x[c + l];
  return heed_lanes_sum(lane) / (float)width;
}

static float variance_of(const float *x, float mean, int64_t width) {
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

/** x̂·γ + β of one row, as floats, as elements, or both. */
static void normalise_row(float *y, heed_element *elements, const float *x, float mean, float rstd, const float *gamma, const float *beta,
                          int64_t width) {
#define VALUE(c) heed_fma((x[c] - mean) * rstd, gamma[c], beta ? beta[c] : 0.0f)
  if (y && elements) {
#pragma omp simd
    for (int64_t c = 0; c < width; c++) {
      float value = VALUE(c);
      y[c] = value;
      elements[c] = heed_element_of(value);
    }
  } else if (y) {
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
      y[c] = VALUE(c);
  } else {
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
      elements[c] = heed_element_of(VALUE(c));
  }
#undef VALUE
}

void HEED_KERNEL(layer_norm_forward)(float *y, void *elements, float *mean, float *rstd, const float *x, const float *gamma,
                                     const float *beta, int64_t tokens, int64_t width, float epsilon) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    const float *row = x + t * width;
    float row_mean = mean_of(row, width), row_rstd = 1.0f / sqrtf(variance_of(row, row_mean, width) + epsilon);
    mean[t] = row_mean;
    rstd[t] = row_rstd;
    normalise_row(y ? y + t * width : NULL, elements ? (heed_element *)elements + t * width : NULL, row, row_mean, row_rstd, gamma, beta,
                  width);
  }
}

int64_t HEED_KERNEL(layer_norm_scratch)(int64_t slices) {
  return 2 * HEED_BAND * heed_tree_room(slices);
}

/** What backward reads of one call. */
typedef struct saved {
  const float *d_y, *x, *mean, *rstd;
  int64_t width;
} saved;

/** sums[0 … BAND) = Σ dy·x̂ and sums[BAND … 2·BAND) = Σ dy over rows [first, end), for `columns` columns from `column` on; in blocks
 *  of rows as in column_sums.h. */
static void parameter_sums(float *sums, const saved *s, int64_t first, int64_t end, int64_t column, int64_t columns) {
  double total[2 * HEED_BAND] = {0};
  for (int64_t begin = first; begin < end; begin += HEED_BAND_ROWS) {
    float d_gamma[HEED_BAND] = {0}, d_beta[HEED_BAND] = {0};
    int64_t stop = heed_at_most(end, begin + HEED_BAND_ROWS);
    for (int64_t t = begin; t < stop; t++) {
      const float *d_y = s->d_y + t * s->width + column, *x = s->x + t * s->width + column;
      float mean = s->mean[t], rstd = s->rstd[t];
#pragma omp simd
      for (int64_t c = 0; c < columns; c++) {
        d_gamma[c] = heed_fma(d_y[c], (x[c] - mean) * rstd, d_gamma[c]);
        d_beta[c] += d_y[c];
      }
    }
    for (int64_t c = 0; c < HEED_BAND; c++) {
      total[c] += (double)d_gamma[c];
      total[HEED_BAND + c] += (double)d_beta[c];
    }
  }
  for (int64_t c = 0; c < 2 * HEED_BAND; c++)
    sums[c] = (float)total[c];
}

static void parameter_band(float *d_gamma, float *d_beta, const saved *s, const int64_t *starts, int64_t slices, int64_t band,
                           float *scratch) {
  int64_t column = band * HEED_BAND, columns = heed_at_most(HEED_BAND, s->width - column), depth = 0;
  for (int64_t g = 0; g < slices; g++) {
    float *sums = heed_tree_top(scratch, depth, 2 * HEED_BAND);
    if (columns == HEED_BAND) /* a constant count of columns: the block stays in registers */
      parameter_sums(sums, s, starts[g], starts[g + 1], column, HEED_BAND);
    else
      parameter_sums(sums, s, starts[g], starts[g + 1], column, columns);
    depth = heed_tree_push(scratch, depth, 2 * HEED_BAND, g);
  }
  heed_tree_finish(scratch, depth, 2 * HEED_BAND);
  heed_tree_write(d_gamma + column, scratch, columns);
  if (d_beta)
    heed_tree_write(d_beta + column, scratch + HEED_BAND, columns);
}

/** means[0] = mean_c(γ·dy), means[1] = mean_c(γ·dy·x̂) of one row. */
static void row_means(float means[2], const float *d_y, const float *x, const float *gamma, float mean, float rstd, int64_t width) {
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

void HEED_KERNEL(layer_norm_backward)(float *d_x, float *d_gamma, float *d_beta, const float *d_y, const float *x, const float *mean,
                                      const float *rstd, const float *gamma, const int64_t *starts, int64_t slices, int64_t width,
                                      float *scratch) {
  saved s = {d_y, x, mean, rstd, width};
#pragma omp for schedule(dynamic) /* its barrier comes before d_x overwrites d_y */
  for (int64_t band = 0; band < heed_column_bands(width); band++)
    parameter_band(d_gamma, d_beta, &s, starts, slices, band, scratch);
#pragma omp for schedule(static)
  for (int64_t t = starts[0]; t < starts[slices]; t++) {
    const float *d_row = d_y + t * width, *row = x + t * width;
    float *out = d_x + t * width, means[2], row_mean = mean[t], row_rstd = rstd[t];
    row_means(means, d_row, row, gamma, row_mean, row_rstd, width);
#pragma omp simd
    for (int64_t c = 0; c < width; c++) {
      float normal = (row[c] - row_mean) * row_rstd;
      out[c] = row_rstd * (heed_fma(gamma[c], d_row[c], -means[0]) - normal * means[1]);
    }
  }
}
