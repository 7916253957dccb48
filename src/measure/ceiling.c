#include "measure/ceiling.h"

#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "base/clock.h"

enum { ROUNDS = 16384 }; /* of a chain between two looks at the clock: some 50 to 200 microseconds */
enum { WINDOWS = 8 };    /* the best of so many counts */

/* ROUNDS rounds of multiply-adds, x·s + y on every lane of every chain.  The sum is returned so that nothing is left out.
 * s = ½ and y = 1 keep values near 2: no overflow, nothing denormal. */
typedef float chains(void);

#ifdef __x86_64__
enum { CHAINS_512 = 24, CHAINS_256 = 12, CHAINS_128 = 6 };

__attribute__((target("avx512f"))) static float chains_512(void) {
  __m512 x[CHAINS_512], s = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(1.0f);
#pragma GCC unroll 24
  for (int i = 0; i < CHAINS_512; i++)
    x[i] = _mm512_set1_ps((float)i);
  for (int round = 0; round < ROUNDS; round++)
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS_512; i++)
      x[i] = _mm512_fmadd_ps(x[i], s, y);
#pragma GCC unroll 24
  for (int i = 1; i < CHAINS_512; i++)
    x[0] = _mm512_add_ps(x[0], x[i]);
  return _mm512_cvtss_f32(x[0]);
}

__attribute__((target("avx2,fma"))) static float chains_256(void) {
  __m256 x[CHAINS_256], s = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(1.0f);
#pragma GCC unroll 12
  for (int i = 0; i < CHAINS_256; i++)
    x[i] = _mm256_set1_ps((float)i);
  for (int round = 0; round < ROUNDS; round++)
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS_256; i++)
      x[i] = _mm256_fmadd_ps(x[i], s, y);
#pragma GCC unroll 12
  for (int i = 1; i < CHAINS_256; i++)
    x[0] = _mm256_add_ps(x[0], x[i]);
  return _mm256_cvtss_f32(x[0]);
}

/* No fused multiply-add at this level: products and sums go their ways side by side, in chains of their own. */
static float chains_128(void) {
  __m128 x[CHAINS_128], z[CHAINS_128], s = _mm_set1_ps(1.0000001f), y = _mm_set1_ps(1e-3f);
#pragma GCC unroll 6
  for (int i = 0; i < CHAINS_128; i++)
    x[i] = z[i] = _mm_set1_ps(1.0f + (float)i);
  for (int round = 0; round < ROUNDS; round++)
#pragma GCC unroll 6
    for (int i = 0; i < CHAINS_128; i++) {
      x[i] = _mm_mul_ps(x[i], s);
      z[i] = _mm_add_ps(z[i], y);
    }
#pragma GCC unroll 6
  for (int i = 0; i < CHAINS_128; i++)
    x[0] = _mm_add_ps(x[0], _mm_add_ps(x[i], z[i]));
  return _mm_cvtss_f32(x[0]);
}
#else
enum { CHAINS_PLAIN = 96 };

/* Left to the compiler. */
static float chains_plain(void) {
  float x[CHAINS_PLAIN], sum = 0;
  for (int i = 0; i < CHAINS_PLAIN; i++)
    x[i] = (float)i;
  for (int round = 0; round < ROUNDS; round++)
#pragma GCC unroll 96
    for (int i = 0; i < CHAINS_PLAIN; i++)
      x[i] = x[i] * 0.5f + 1.0f;
  for (int i = 0; i < CHAINS_PLAIN; i++)
    sum += x[i];
  return sum;
}
#endif

/* The widest chains that run here, and the floating-point operations of one call. */
static chains *widest(double *flops) {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f")) {
    *flops = 2.0 * 16 * CHAINS_512 * ROUNDS;
    return chains_512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    *flops = 2.0 * 8 * CHAINS_256 * ROUNDS;
    return chains_256;
  }
  *flops = 2.0 * 4 * CHAINS_128 * ROUNDS;
  return chains_128;
#else
  *flops = 2.0 * CHAINS_PLAIN * ROUNDS;
  return chains_plain;
#endif
}

double heed_ceiling_sum(double value, heed_communication *c) {
  double *values = calloc((size_t)c->size, sizeof *values), sum = 0;
  if (!values)
    c->abort(c, heed_error(HEED_FAILED, "out of memory for a number a rank"));
  values[c->rank] = value;
  c->allgather(c, values, 1);
  for (int rank = 0; rank < c->size; rank++)
    sum += values[rank];
  free(values);
  return sum;
}

/* Calls of all threads within one window, over the time from the first to the last. */
static double calls_per_second(chains *run) {
  volatile float sink = 0;
  int64_t calls = 0;
  double begun = heed_seconds();
#pragma omp parallel reduction(+ : calls)
  {
    float sum = 0;
    while (heed_seconds() - begun < HEED_CEILING_WINDOW) {
      sum += run();
      calls++;
    }
#pragma omp critical
    sink = sink + sum;
  }
  return (double)calls / (heed_seconds() - begun);
}

double heed_ceiling_flops(heed_communication *c) {
  double flops, best = 0;
  chains *run = widest(&flops);
  for (int window = 0; window < WINDOWS; window++) {
    c->barrier(c);
    double rate = heed_ceiling_sum(calls_per_second(run) * flops, c);
    best = rate > best ? rate : best;
  }
  return best;
}

/* Floats of one block: twice the last cache, within reason, shared by the ranks of the machine. */
static int64_t block_floats(int64_t ranks_on_node) {
  long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  int64_t bytes = cache > 0 ? 2 * (int64_t)cache : 0, least = 64 << 20, most = 512 << 20;
  bytes = bytes < least ? least : bytes > most ? most : bytes;
  return bytes / ranks_on_node / (int64_t)sizeof(float) + 1;
}

static void triad(float *restrict a, const float *restrict b, const float *restrict c, float s, int64_t count) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < count; i++)
    a[i] = b[i] + s * c[i];
}

heed_status heed_ceiling_bandwidth(double *bytes_per_second, heed_communication *c, int64_t ranks_on_node) {
  int64_t count = block_floats(ranks_on_node);
  float *blocks = malloc((size_t)(3 * count) * sizeof *blocks);
  HEED_TRY(c->agree(c, blocks ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the blocks of the memory's ceiling")));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; i++) /* first touched by the thread that uses it */
    blocks[i] = blocks[count + i] = blocks[2 * count + i] = 1.0f;
  *bytes_per_second = 0;
  for (int window = 0; window < WINDOWS; window++) {
    c->barrier(c);
    double begun = heed_seconds();
    triad(blocks, blocks + count, blocks + 2 * count, 0.5f, count);
    double rate = heed_ceiling_sum(3 * sizeof(float) * (double)count / (heed_seconds() - begun), c);
    *bytes_per_second = rate > *bytes_per_second ? rate : *bytes_per_second;
  }
  free(blocks);
  return HEED_OK;
}
