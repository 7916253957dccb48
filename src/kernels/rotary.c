/* Rotary positions (Su et al. 2021, eq. 34), the halves of a head apart as in GPT-NeoX: pair i is (x[i], x[i + D/2]).
 *
 *     (x₁, x₂) → (x₁·cos − x₂·sin, x₂·cos + x₁·sin)
 *
 * A rotation's transpose is the rotation by the opposite angle, so backward is forward with −sin. */
#include "kernels/element.h"
#include "kernels/level.h"
#include "kernels/vector_math.h"

static void rotate(heed_element *restrict low, heed_element *restrict high, const float *cosine, const float *sine, int64_t count,
                   float sign) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    float x = heed_value_of(low[i]), y = heed_value_of(high[i]), turn = sign * sine[i];
    low[i] = heed_element_of(heed_fma(x, cosine[i], -(y * turn)));
    high[i] = heed_element_of(heed_fma(y, cosine[i], x * turn));
  }
}

void HEED_KERNEL(rotary)(void *x, const float *table, const int32_t *positions, int64_t tokens, int64_t stride, int64_t heads,
                         int64_t head_width, bool back) {
  int64_t half = head_width / 2;
#pragma omp for schedule(static)
  for (int64_t t = 0; t < tokens; t++) {
    const float *cosine = table + positions[t] * head_width;
    for (heed_element *head = (heed_element *)x + t * stride, *end = head + heads * head_width; head < end; head += head_width)
      rotate(head, head + half, cosine, cosine + half, half, back ? -1.0f : 1.0f);
  }
}
