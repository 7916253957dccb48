/* Elements go through in blocks, each step a loop over a block that the compiler makes vectors of: compiled once per width, the widest
 * that runs here is taken.  Every step is exact or rounded as IEEE 754 says, so the width does not change a bit. */
#include "base/normal.h"

#include <math.h>
#include <string.h>

#include "heed/random.h"

enum { BLOCK = 256 };

/* What a try of up to BLOCK elements works on. */
typedef struct block {
  uint32_t low[BLOCK], high[BLOCK]; /* words of the elements */
  double u[BLOCK], v[BLOCK];        /* uniform, then the logarithm and the cosine */
  double normal[BLOCK];
} block;

/* log u, 0 < u < 1: u = m·2ᵉ with m in [√½, √2), log m = 2·atanh(s), s = (m − 1)/(m + 1), |s| < 0.172.  Ours, because the C library's
 * takes other instructions on other processors and may change a bit, and ranks must agree on the first values. */
static inline __attribute__((always_inline)) double own_log(double u) {
  uint64_t bits;
  double m, sum = 0.0;
  memcpy(&bits, &u, sizeof bits);
  int32_t exponent = (int32_t)(bits >> 52) - 1022;
  bits = (bits & 0x000FFFFFFFFFFFFFu) | 0x3FE0000000000000u; /* m in [½, 1) */
  memcpy(&m, &bits, sizeof m);
  bool small = m < 0.7071067811865476;
  m = small ? m * 2.0 : m;
  exponent = small ? exponent - 1 : exponent;
  double s = (m - 1.0) / (m + 1.0);
#pragma GCC unroll 16
  for (int k = 21; k >= 1; k -= 2)
    sum = sum * (s * s) + 1.0 / k;
  return 2.0 * s * sum + exponent * 0.6931471805599453;
}

/* cos 2πu, 0 < u < 1: folded to a quarter turn, then the series of the cosine. */
static inline __attribute__((always_inline)) double own_cosine(double u) {
  double v = fabs(u - 0.5), sum = 0.0;
  bool far = v > 0.25;
  double sign = far ? 1.0 : -1.0;
  v = far ? 0.5 - v : v;
  double x = 6.283185307179586 * v;
#pragma GCC unroll 16
  for (int k = 24; k >= 2; k -= 2)
    sum = (1.0 + sum) * ((x * -x) * (1.0 / (k * (k - 1))));
  return sign * (1.0 + sum);
}

static inline __attribute__((always_inline)) void draw(block *restrict b, int count, uint32_t attempt, uint32_t tensor, uint32_t seed) {
  for (int i = 0; i < count; i++) {
    heed_random4 r = heed_philox(b->low[i], b->high[i], attempt, tensor, seed, HEED_FOR_INITIALISATION);
    b->u[i] = heed_uniform(r.word[0]);
    b->v[i] = heed_uniform(r.word[1]);
  }
  for (int i = 0; i < count; i++)
    b->u[i] = own_log(b->u[i]);
  for (int i = 0; i < count; i++)
    b->v[i] = own_cosine(b->v[i]);
  for (int i = 0; i < count; i++)
    b->normal[i] = sqrt(-2.0 * b->u[i]) * b->v[i];
}

typedef void draw_width(block *b, int count, uint32_t attempt, uint32_t tensor, uint32_t seed);

static void draw_plain(block *b, int count, uint32_t attempt, uint32_t tensor, uint32_t seed) {
  draw(b, count, attempt, tensor, seed);
}

#ifdef HEED_X86_64
__attribute__((target("avx2"))) static void draw_256(block *b, int count, uint32_t attempt, uint32_t tensor, uint32_t seed) {
  draw(b, count, attempt, tensor, seed);
}
__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,prefer-vector-width=512"))) static void
draw_512(block *b, int count, uint32_t attempt, uint32_t tensor, uint32_t seed) {
  draw(b, count, attempt, tensor, seed);
}
#endif

static draw_width *widest(void) {
#ifdef HEED_X86_64
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    return draw_512;
  if (__builtin_cpu_supports("avx2"))
    return draw_256;
#endif
  return draw_plain;
}

/* One try of the elements first + place[0 … count). */
static void draw_at(draw_width *run, block *b, int64_t first, const int *place, int count, uint32_t attempt, uint32_t tensor,
                    uint32_t seed) {
  for (int i = 0; i < count; i++) {
    uint64_t element = (uint64_t)(first + place[i]);
    b->low[i] = (uint32_t)element;
    b->high[i] = (uint32_t)(element >> 32);
  }
  run(b, count, attempt, tensor, seed);
}

static void fill_block(draw_width *run, float *values, int64_t first, int count, double deviation, uint32_t tensor, uint32_t seed,
                       bool truncated) {
  block b;
  int place[BLOCK], left = 0; /* those of a try that lie beyond ±2 */
  for (int i = 0; i < count; i++)
    place[i] = i;
  draw_at(run, &b, first, place, count, 0, tensor, seed);
  for (int i = 0; i < count; i++)
    values[i] = (float)(deviation * b.normal[i]);
  for (int i = 0; truncated && i < count; i++) {
    place[left] = i;
    left += fabs(b.normal[i]) > 2.0;
  }
  for (uint32_t attempt = 1; left > 0; attempt++) {
    int drawn = left;
    draw_at(run, &b, first, place, drawn, attempt, tensor, seed);
    left = 0;
    for (int i = 0; i < drawn; i++) {
      int at = place[i];
      values[at] = (float)(deviation * b.normal[i]);
      place[left] = at;
      left += fabs(b.normal[i]) > 2.0;
    }
  }
}

void heed_normal_fill(float *values, int64_t first, int64_t count, double deviation, uint32_t tensor, uint32_t seed, bool truncated) {
  draw_width *run = widest();
  for (int64_t at = 0; at < count; at += BLOCK)
    fill_block(run, values + at, first + at, count - at < BLOCK ? (int)(count - at) : BLOCK, deviation, tensor, seed, truncated);
}
