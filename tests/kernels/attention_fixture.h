/** What the tests of attention share: queries of one stream, keys and values of another, all with strides of their own. */
#ifndef HEED_TESTS_KERNELS_ATTENTION_FIXTURE_H
#define HEED_TESTS_KERNELS_ATTENTION_FIXTURE_H

#include "kernels/kernel_test.h"
#include "reference/attention.h"

static const heed_dropout no_dropout = {0};
static const heed_dropout some_dropout = {
    .threshold = 19661, .scale = (float)(65536.0 / (65536.0 - 19661)), .seed = 5, .data_position = 11, .site = 3, .first_row = 40};

/** q, k and v side by side, as one product makes them; d_qkv likewise. */
typedef struct problem {
  heed_attention_shape shape;
  const heed_dropout *dropout;
  int64_t q_tokens, kv_tokens, width;
  float *q, *kv, *d_out;
  float *out, *lse, *d_q, *d_kv; /* results */
} problem;

static inline int64_t *offsets_of(const int64_t *lengths, int64_t sequences) {
  int64_t *offsets = test_memory(sequences + 1, sizeof *offsets);
  for (int64_t b = 0; b < sequences; b++)
    offsets[b + 1] = offsets[b] + lengths[b];
  return offsets;
}

static inline problem make(int64_t sequences, const int64_t *queries, const int64_t *keys, int64_t heads, int64_t head_width,
                           const heed_dropout *dropout) {
  int64_t *q_offsets = offsets_of(queries, sequences), *kv_offsets = offsets_of(keys, sequences), width = heads * head_width;
  problem p = {.shape = {sequences, heads, head_width, q_offsets, kv_offsets, width + 3, 2 * width + 5, width,
                         1.0f / sqrtf((float)head_width), NULL, HEED_EVERYWHERE, HEED_EVERYWHERE},
               .dropout = dropout,
               .q_tokens = q_offsets[sequences],
               .kv_tokens = kv_offsets[sequences],
               .width = width};
  p.q = test_random(p.q_tokens * p.shape.q_stride, 1, 2.0);
  p.kv = test_random(p.kv_tokens * p.shape.kv_stride, 2, 2.0);
  p.d_out = test_random(p.q_tokens * width, 3, 1.0);
  p.out = test_floats(p.q_tokens * width);
  p.lse = test_floats(p.q_tokens * heads);
  p.d_q = test_floats(p.q_tokens * p.shape.q_stride);
  p.d_kv = test_floats(p.kv_tokens * p.shape.kv_stride);
  return p;
}

/** The same with a band. */
static inline problem banded(problem p, int64_t behind, int64_t ahead) {
  p.shape.behind = behind;
  p.shape.ahead = ahead;
  return p;
}

static inline void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->attention_forward(p->out, p->lse, p->q, p->kv, p->kv + p->width, &p->shape, p->dropout, scratch);
}
static inline void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->attention_backward(p->d_q, p->d_kv, p->d_kv + p->width, p->d_out, p->out, p->lse, p->q, p->kv, p->kv + p->width, &p->shape, p->dropout,
                        scratch);
}

#endif
