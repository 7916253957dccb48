/* The loops of bf16.  Factors are all 1, so every lane counts its multiply-adds: exact in fp32, 32 · 16,384 a lane at most. */
#include "measure/chains.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROUNDS = HEED_CHAIN_ROUNDS, TILE_ROWS = 16, TILE_BYTES = 64, TILE_FLOATS = 16, PAIR = 2, CHAINS = 24, BF16_ONE = 0x3F80 };

/* ---- AMX ---- */

/* As _tile_loadconfig reads it: palette 1 has 8 tiles of up to 16 rows of 64 bytes.  Static: the compiler believes that the instruction
 * reads its first bytes alone, and would leave the rest of a local one unset. */
typedef struct tile_config {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} tile_config;

static const tile_config eight_tiles = {
    .palette = 1,
    .row_bytes = {TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES, TILE_BYTES},
    .rows = {TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS, TILE_ROWS}};

/* Tiles 0–3 add up, 4 and 5 are rows of the one factor, 6 and 7 of the other.  The thread's configuration is put back: its kernels may
 * count on it. */
__attribute__((target("amx-tile,amx-bf16"))) static double chains_amx(void) {
  uint16_t ones[TILE_ROWS * TILE_BYTES / sizeof(uint16_t)];
  float sums[4][TILE_ROWS * TILE_FLOATS];
  tile_config before = {0};
  double sum = 0;
  for (size_t i = 0; i < sizeof ones / sizeof *ones; i++)
    ones[i] = BF16_ONE;
  __asm__ volatile("" ::"r"(ones), "r"(&before) : "memory"); /* whole in memory, whatever the intrinsics say */
  _tile_storeconfig(&before);
  _tile_loadconfig(&eight_tiles);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones, TILE_BYTES);
  _tile_loadd(5, ones, TILE_BYTES);
  _tile_loadd(6, ones, TILE_BYTES);
  _tile_loadd(7, ones, TILE_BYTES);
  for (int round = 0; round < ROUNDS / 4; round++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums[0], TILE_BYTES);
  _tile_stored(1, sums[1], TILE_BYTES);
  _tile_stored(2, sums[2], TILE_BYTES);
  _tile_stored(3, sums[3], TILE_BYTES);
  _tile_loadconfig(&before);
  __asm__ volatile("" ::"r"(sums) : "memory");
  for (int tile = 0; tile < 4; tile++)
    for (int i = 0; i < TILE_ROWS * TILE_FLOATS; i++)
      sum += sums[tile][i];
  return sum;
}

/* The processor has the tiles, and the operating system lets this process use them: it keeps 8 KiB more a thread from then on. */
static bool has_amx(void) {
  enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24, ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_TILE_DATA = 18 };
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16) && (d & AMX_TILE) &&
         syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILE_DATA) == 0;
}

heed_chains heed_chains_amx(void) {
  double flops = 2.0 * 4 * TILE_ROWS * TILE_FLOATS * (TILE_BYTES / sizeof(uint16_t)) * (ROUNDS / 4);
  return has_amx() ? (heed_chains){chains_amx, flops} : (heed_chains){0};
}

/* ---- AVX512-BF16 ---- */

__attribute__((target("avx512f,avx512bf16"))) static double chains_512(void) {
  __m512 x[CHAINS];
  __m512i ones = _mm512_set1_epi16(BF16_ONE);
  __asm__("" : "+v"(ones)); /* not known to be 1: nothing is worked out beforehand */
  double sum = 0;
#pragma GCC unroll 24
  for (int i = 0; i < CHAINS; i++) {
    x[i] = _mm512_setzero_ps();
    __asm__("" : "+v"(x[i])); /* nor to be alike: the compiler would make one chain of them all */
  }
  for (int round = 0; round < ROUNDS; round++)
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; i++)
      x[i] = _mm512_dpbf16_ps(x[i], (__m512bh)ones, (__m512bh)ones);
#pragma GCC unroll 24
  for (int i = 0; i < CHAINS; i++)
    sum += _mm512_reduce_add_ps(x[i]);
  return sum;
}

heed_chains heed_chains_avx512_bf16(void) {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bf16"))
    return (heed_chains){0};
  return (heed_chains){chains_512, 2.0 * PAIR * TILE_FLOATS * CHAINS * ROUNDS};
}
#else
heed_chains heed_chains_amx(void) {
  return (heed_chains){0};
}

heed_chains heed_chains_avx512_bf16(void) {
  return (heed_chains){0};
}
#endif
