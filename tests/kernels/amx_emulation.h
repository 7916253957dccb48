/** The tile instructions that kernels use, in C: with HEED_EMULATE_AMX, which includes this before their sources, the kernels for AMX are
 *  tested on processors that have AVX512-BF16 but no tiles.  Every tile has 16 rows of 64 bytes.
 *
 *  Of a row and a column the even products and the odd ones are summed apart, then added to what is there; the processor rounds likewise,
 *  but takes denormal numbers for zeros. */
#ifndef HEED_TESTS_KERNELS_AMX_EMULATION_H
#define HEED_TESTS_KERNELS_AMX_EMULATION_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

typedef union heed_emulated_tile {
  float sums[16][16];
  uint32_t pairs[16][16];
} heed_emulated_tile;

static __thread heed_emulated_tile heed_emulated[8];

static inline void heed_emulated_load(int tile, const void *from, int64_t stride) {
  for (int row = 0; row < 16; row++)
    memcpy(heed_emulated[tile].pairs[row], (const char *)from + row * stride, 64);
}
static inline void heed_emulated_store(int tile, void *to, int64_t stride) {
  for (int row = 0; row < 16; row++)
    memcpy((char *)to + row * stride, heed_emulated[tile].sums[row], 64);
}
static inline __m512 heed_emulated_even(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
}
static inline __m512 heed_emulated_odd(__m512i pairs) {
  return _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32((int)0xFFFF0000)));
}
static inline void heed_emulated_multiply(int sums, int a, int b) {
  for (int row = 0; row < 16; row++) {
    __m512 even = _mm512_setzero_ps(), odd = even;
    for (int pair = 0; pair < 16; pair++) {
      __m512i x = _mm512_set1_epi32((int)heed_emulated[a].pairs[row][pair]), y = _mm512_loadu_si512(heed_emulated[b].pairs[pair]);
      even = _mm512_fmadd_ps(heed_emulated_even(x), heed_emulated_even(y), even);
      odd = _mm512_fmadd_ps(heed_emulated_odd(x), heed_emulated_odd(y), odd);
    }
    float *to = heed_emulated[sums].sums[row];
    _mm512_storeu_ps(to, _mm512_add_ps(_mm512_loadu_ps(to), _mm512_add_ps(even, odd)));
  }
}

#undef _tile_loadd
#undef _tile_stream_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadd(tile, from, stride) heed_emulated_load(tile, from, stride)
#define _tile_stream_loadd(tile, from, stride) heed_emulated_load(tile, from, stride)
#define _tile_stored(tile, to, stride) heed_emulated_store(tile, to, stride)
#define _tile_zero(tile) memset(&heed_emulated[tile], 0, sizeof heed_emulated[tile])
#define _tile_dpbf16ps(sums, a, b) heed_emulated_multiply(sums, a, b)
#define _tile_loadconfig(configuration) ((void)(configuration))
#define _tile_release() ((void)0)

#endif
