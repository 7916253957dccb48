#include "measure/chains.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif

enum { ROUNDS = HEED_CHAIN_ROUNDS };

/* x·s + y on every lane of every chain.  s = ½ and y = 1 keep values near 2: no overflow, nothing denormal. */

#ifdef __x86_64__
enum { CHAINS_512 = 24, CHAINS_256 = 12, CHAINS_128 = 6 };

__attribute__((target("avx512f"))) static double chains_512(void) {
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

__attribute__((target("avx2,fma"))) static double chains_256(void) {
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
static double chains_128(void) {
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
static double chains_plain(void) {
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

heed_chains heed_chains_fp32(void) {
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f"))
    return (heed_chains){chains_512, 2.0 * 16 * CHAINS_512 * ROUNDS};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return (heed_chains){chains_256, 2.0 * 8 * CHAINS_256 * ROUNDS};
  return (heed_chains){chains_128, 2.0 * 4 * CHAINS_128 * ROUNDS};
#else
  return (heed_chains){chains_plain, 2.0 * CHAINS_PLAIN * ROUNDS};
#endif
}

heed_chains heed_chains_of(heed_precision precision) {
  heed_chains chains = {0};
  if (precision == HEED_BF16)
    chains = heed_chains_amx();
  if (precision == HEED_BF16 && !chains.run)
    chains = heed_chains_avx512_bf16();
  return chains.run ? chains : heed_chains_fp32();
}
