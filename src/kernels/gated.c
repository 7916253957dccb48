/* Gated activations (Shazeer 2020, "GLU variants improve transformer"): GeGLU and ReGLU.
 *
 *     forward    y = act(a)·g,  a and g the first and the second half of a row of x
 *     backward   da = dy·g·act′(a),  dg = dy·act(a)
 *
 * A block of a row goes through short loops while it is in the first cache. */
#include "kernels/activation.h"
#include "kernels/element.h"

enum { BLOCK = 1024 };

/** Floats of one block of a row. */
typedef struct values {
  float a[BLOCK], gate[BLOCK], y[BLOCK], slopes[BLOCK];
} values;

static void multiply(float *y, const float *x, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++)
    y[i] *= x[i];
}

void HEED_KERNEL(gated_forward)(void *y, const void *x, int64_t tokens, int64_t width, heed_form form) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t first = 0; first < width; first += BLOCK) {
      const heed_element *a = (const heed_element *)x + t * 2 * width + first;
      int64_t count = heed_at_most(BLOCK, width - first);
      values v;
      heed_values(v.a, a, count);
      heed_values(v.gate, a + width, count);
      HEED_KERNEL(activation_values)(v.y, v.a, count, form);
      multiply(v.y, v.gate, count);
      heed_elements((heed_element *)y + t * width + first, v.y, count);
    }
}

void HEED_KERNEL(gated_backward)(void *d_x, const void *d_y, const void *x, int64_t tokens, int64_t width, heed_form form) {
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++)
    for (int64_t first = 0; first < width; first += BLOCK) {
      const heed_element *a = (const heed_element *)x + t * 2 * width + first;
      heed_element *d_a = (heed_element *)d_x + t * 2 * width + first;
      int64_t count = heed_at_most(BLOCK, width - first);
      values v;
      heed_values(v.a, a, count);
      heed_values(v.gate, a + width, count);
      heed_values(v.y, (const heed_element *)d_y + t * width + first, count);
      HEED_KERNEL(activation_both)(v.a, v.slopes, v.a, count, form);
      multiply(v.slopes, v.y, count);
      multiply(v.slopes, v.gate, count);
      heed_elements(d_a, v.slopes, count);
      multiply(v.a, v.y, count);
      heed_elements(d_a + width, v.a, count);
    }
}
