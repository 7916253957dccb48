/** Private to kernels/: the draws of dropout, many at a time.
 *
 *  One Philox call gives 8 draws of 16 bits.  Sixteen calls run side by side: their counters stand in the lower halves of two vectors of
 *  64-bit lanes, since a round multiplies 32 bits to 64.  Nothing is stored: forward and backward draw the same bits again. */
#ifndef HEED_KERNELS_DRAWS_H
#define HEED_KERNELS_DRAWS_H

#include "heed/random.h"
#include "kernels/lanes16.h"
#include "kernels/level.h"

typedef uint64_t heed_longs __attribute__((vector_size(64)));

enum { HEED_DRAW_COUNTERS = 16, HEED_DRAWS = 8 * HEED_DRAW_COUNTERS, HEED_PHILOX_ROUNDS = 10 };
static const uint32_t heed_philox_factor[2] = {0xD2511F53u, 0xCD9E8D57u};

/** What all draws of a row have in common: the keys of the rounds; what the first rounds make of the words beside the counter; the rate. */
typedef struct heed_draws {
  uint32_t key[HEED_PHILOX_ROUNDS][2];
  uint32_t first, second[2], third;
  uint32_t limit; /* draws below it, in the upper half of a word, drop */
  float scale;
} heed_draws;

static inline heed_draws heed_draws_of(uint32_t row, uint32_t site, const heed_dropout *dropout) {
  heed_draws d = {.limit = dropout->threshold << 16, .scale = dropout->scale};
  for (uint32_t i = 0; i < HEED_PHILOX_ROUNDS; i++) {
    d.key[i][0] = dropout->seed + i * 0x9E3779B9u;
    d.key[i][1] = HEED_FOR_DROPOUT + i * 0xBB67AE85u;
  }
  uint64_t p1 = (uint64_t)heed_philox_factor[1] * site, p0 = (uint64_t)heed_philox_factor[0] * ((uint32_t)(p1 >> 32) ^ row ^ d.key[0][0]);
  d.first = dropout->data_position ^ d.key[0][1];
  d.second[0] = (uint32_t)p1 ^ d.key[1][0];
  d.second[1] = (uint32_t)(p0 >> 32) ^ d.key[1][1];
  d.third = (uint32_t)p0 ^ d.key[2][1];
  return d;
}

/** The lower halves of the lanes times m. */
static inline __attribute__((always_inline)) heed_longs heed_wide_product(heed_longs a, uint32_t m) {
#if defined(__AVX512F__)
  return (heed_longs)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(m));
#elif defined(__AVX2__)
  union {
    heed_longs whole;
    __m256i part[2];
  } x = {a};
  for (int i = 0; i < 2; i++)
    x.part[i] = _mm256_mul_epu32(x.part[i], _mm256_set1_epi64x(m));
  return x.whole;
#elif defined(__SSE2__)
  union {
    heed_longs whole;
    __m128i part[4];
  } x = {a};
  for (int i = 0; i < 4; i++)
    x.part[i] = _mm_mul_epu32(x.part[i], _mm_set1_epi64x(m));
  return x.whole;
#else
  return (a & 0xFFFFFFFF) * m;
#endif
}

/** Philox on eight counters, the lower halves of the lanes; so are the words.  The upper halves hold anything. */
static inline __attribute__((always_inline)) void heed_philox8(heed_longs word[4], heed_longs counter, const heed_draws *d) {
  heed_longs p0 = heed_wide_product(counter, heed_philox_factor[0]);
  heed_longs p1 = heed_wide_product((p0 >> 32) ^ d->first, heed_philox_factor[1]);
  heed_longs c0 = (p1 >> 32) ^ d->second[0], c2 = p0 ^ d->second[1], c1 = p1, c3;
  p0 = heed_wide_product(c0, heed_philox_factor[0]);
  p1 = heed_wide_product(c2, heed_philox_factor[1]);
  c0 = (p1 >> 32) ^ c1 ^ d->key[2][0];
  c2 = (p0 >> 32) ^ d->third;
  c1 = p1;
  c3 = p0;
#pragma GCC unroll 16
  for (int i = 3; i < HEED_PHILOX_ROUNDS; i++) {
    p0 = heed_wide_product(c0, heed_philox_factor[0]);
    p1 = heed_wide_product(c2, heed_philox_factor[1]);
    c0 = (p1 >> 32) ^ c1 ^ d->key[i][0];
    c2 = (p0 >> 32) ^ c3 ^ d->key[i][1];
    c1 = p1;
    c3 = p0;
  }
  word[0] = c0;
  word[1] = c1;
  word[2] = c2;
  word[3] = c3;
}

/** Sixteen calls, those of even lanes and those of odd ones.  Word i of call l stands in lane l of word[i]: draws 2i (its lower half) and
 *  2i + 1. */
static inline __attribute__((always_inline)) void heed_draw_columns(heed_words word[4], heed_longs even, heed_longs odd,
                                                                    const heed_draws *d) {
  heed_longs of_even[4], of_odd[4];
  heed_philox8(of_even, even, d);
  heed_philox8(of_odd, odd, d);
  for (int i = 0; i < 4; i++)
    word[i] = (heed_words)((of_even[i] & 0xFFFFFFFF) | of_odd[i] << 32);
}

/** Whether the draws in the lower, and in the upper halves keep their elements. */
static inline heed_mask16 heed_kept_low(heed_words word, const heed_draws *d) {
  return heed_at_least16(word << 16, heed_words_of(d->limit));
}
static inline heed_mask16 heed_kept_high(heed_words word, const heed_draws *d) {
  return heed_at_least16(word, heed_words_of(d->limit));
}

#ifdef __AVX512BW__
/** factor[i] of the 64 elements that eight calls draw for: 0 where dropped, else the scale.  Lanes 2j and 2j + 1 of a register hold calls j
 *  and j + 4, so that pairs of words, then of pairs, lie in the order of the elements. */
static inline __attribute__((always_inline)) void heed_draw_64(float *factor, uint32_t counter, const heed_draws *d) {
  heed_longs word[4], call = {0, 4, 1, 5, 2, 6, 3, 7};
  heed_philox8(word, call + counter, d);
  heed_longs low = (word[0] & 0xFFFFFFFF) | word[1] << 32, high = (word[2] & 0xFFFFFFFF) | word[3] << 32;
  __m512i draws[2] = {_mm512_unpacklo_epi64((__m512i)low, (__m512i)high), _mm512_unpackhi_epi64((__m512i)low, (__m512i)high)};
  for (int i = 0; i < 2; i++) {
    __mmask32 kept = _mm512_cmpge_epu16_mask(draws[i], _mm512_set1_epi16((short)(d->limit >> 16)));
    _mm512_storeu_ps(factor + 32 * i, _mm512_maskz_mov_ps((__mmask16)kept, _mm512_set1_ps(d->scale)));
    _mm512_storeu_ps(factor + 32 * i + 16, _mm512_maskz_mov_ps((__mmask16)(kept >> 16), _mm512_set1_ps(d->scale)));
  }
}

/** factor[i] of the elements that the calls from `counter` on draw for, in their order: 0 where dropped, else the scale. */
static inline void heed_draw_factors(float factor[HEED_DRAWS], uint32_t counter, const heed_draws *d) {
  heed_draw_64(factor, counter, d);
  heed_draw_64(factor + 64, counter + 8, d);
}
#else
static inline void heed_draw_factors(float factor[HEED_DRAWS], uint32_t counter, const heed_draws *d) {
  heed_longs word[2][4], call = {0, 1, 2, 3, 4, 5, 6, 7};
  heed_philox8(word[0], call + counter, d);
  heed_philox8(word[1], call + counter + 8, d);
  for (int l = 0; l < HEED_DRAW_COUNTERS; l++)
    for (int i = 0; i < 4; i++) {
      uint32_t draws = (uint32_t)word[l / 8][i][l % 8];
      factor[8 * l + 2 * i] = draws << 16 < d->limit ? 0.0f : d->scale;
      factor[8 * l + 2 * i + 1] = draws < d->limit ? 0.0f : d->scale;
    }
}
#endif

#endif
