/* Rows picked by index: masked positions, first tokens.  Layer ends that need only some rows compute only those. */
#include "kernels/element.h"
#include "kernels/level.h"

void HEED_KERNEL(gather_rows)(void *y, const float *x, const int64_t *index, int64_t rows, int64_t width) {
#pragma omp for schedule(static)
  for (int64_t m = 0; m < rows; m++)
    heed_elements((heed_element *)y + m * width, x + index[m] * width, width);
}

void HEED_KERNEL(scatter_rows)(float *d_x, const float *d_y, const int64_t *index, int64_t rows, int64_t width) {
#pragma omp for schedule(static)
  for (int64_t m = 0; m < rows; m++) {
    float *into = d_x + index[m] * width;
#pragma omp simd
    for (int64_t c = 0; c < width; c++)
      into[c] += d_y[m * width + c];
  }
}
