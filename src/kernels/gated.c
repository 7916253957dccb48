/* Gated activations (Shazeer 2020, "GLU variants improve transformer"): GeGLU and ReGLU.
 *
 *     forward    y = act(a)·g,  a and g the first and the second half of a row of x
 *     backward   da = dy·g·act′(a),  dg = dy·act(a)
 *
 * A row goes through two short loops while it is in cache. */
#include "kernels/activation.h"

static void multiply(float *y, const float *x, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++)
    y[i] *= x[i];
}

void HEED_KERNEL(gated_forward)(float *y, const float *x, int64_t tokens, int64_t width, heed_form form) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    const float *a = x + t * 2 * width, *gate = a + width;
    HEED_KERNEL(activation_values)(y + t * width, a, width, form);
    multiply(y + t * width, gate, width);
  }
}

void HEED_KERNEL(gated_backward)(float *d_x, const float *d_y, const float *x, int64_t tokens, int64_t width, heed_form form) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    const float *a = x + t * 2 * width, *gate = a + width, *d_row = d_y + t * width;
    float *d_a = d_x + t * 2 * width, *d_gate = d_a + width;
    HEED_KERNEL(activation_slopes)(d_a, d_row, a, width, form);
    multiply(d_a, gate, width);
    HEED_KERNEL(activation_values)(d_gate, a, width, form);
    multiply(d_gate, d_row, width);
  }
}
