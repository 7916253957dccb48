/* Optimizers and sums over the flat block: element by element, one thread a call (the caller shares chunks among threads). */
#include "kernels/element.h"
#include "kernels/level.h"

double HEED_KERNEL(square_sum)(const float *x, int64_t count) {
  double lane[HEED_LANES] = {0};
  int64_t i = 0;
  for (; i + HEED_LANES <= count; i += HEED_LANES)
    for (int l = 0; l < HEED_LANES; l++)
      lane[l] += (double)x[i + l] * (double)x[i + l];
  for (int l = 0; i + l < count; l++)
    lane[l] += (double)x[i + l] * (double)x[i + l];
  for (int half = HEED_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      lane[l] += lane[l + half];
  return lane[0];
}

/** Adam's direction m̂/(√v̂ + ε) of one element; the moments are updated. */
static inline float adam_direction(float *m, float *v, float gradient, const heed_adamw *s) {
  float g = gradient * s->gradient_scale;
  *m = heed_fma(s->beta1, *m, (1.0f - s->beta1) * g);
  *v = heed_fma(s->beta2, *v, (1.0f - s->beta2) * (g * g));
  return *m * s->correction1 / (sqrtf(*v * s->correction2) + s->epsilon);
}

void HEED_KERNEL(adamw)(float *w, float *m, float *v, const float *gradient, int64_t count, const heed_adamw *settings) {
  const heed_adamw s = *settings;
#pragma omp simd
  for (int64_t i = 0; i < count; i++) {
    float u = adam_direction(m + i, v + i, gradient[i], &s);
    w[i] = heed_fma(-s.learning_rate, heed_fma(s.weight_decay, w[i], u), w[i]);
  }
}

void HEED_KERNEL(lamb_direction)(float *u, float *m, float *v, const float *w, const float *gradient, int64_t count,
                                 const heed_adamw *settings) {
  const heed_adamw s = *settings;
#pragma omp simd
  for (int64_t i = 0; i < count; i++)
    u[i] = heed_fma(s.weight_decay, w[i], adam_direction(m + i, v + i, gradient[i], &s));
}

void HEED_KERNEL(lamb_apply)(float *w, const float *u, float step, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++)
    w[i] = heed_fma(-step, u[i], w[i]);
}

void HEED_KERNEL(add)(float *y, const float *x, int64_t count) {
#pragma omp simd
  for (int64_t i = 0; i < count; i++)
    y[i] += x[i];
}

void HEED_KERNEL(narrow)(void *y, const float *x, int64_t count) {
  heed_elements(y, x, count);
}

void HEED_KERNEL(widen)(float *y, const void *x, int64_t count) {
  heed_values(y, x, count);
}
