/** What the tests of attention share: queries of one stream, keys and values of another, all with strides of their own. */
#ifndef HEED_TESTS_KERNELS_ATTENTION_FIXTURE_H
#define HEED_TESTS_KERNELS_ATTENTION_FIXTURE_H

#include "kernels/kernel_test.h"
#include "reference/attention.h"

static const heed_dropout no_dropout = {0};
static const heed_dropout some_dropout = {
    .threshold = 19661, .scale = (float)(65536.0 / (65536.0 - 19661)), .seed = 5, .data_position = 11, .site = 3, .first_row = 40};

/** Queries, keys beside values, and what comes of them, as floats that elements hold exactly. */
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

static inline problem make(const heed_kernels *kernels, int64_t sequences, const int64_t *queries, const int64_t *keys, int64_t heads,
                           int64_t head_width, const heed_dropout *dropout) {
  int64_t *q_offsets = offsets_of(queries, sequences), *kv_offsets = offsets_of(keys, sequences), width = heads * head_width;
  problem p = {.shape = {sequences, heads, head_width, q_offsets, kv_offsets, width + 3, 2 * width + 5, width,
                         1.0f / sqrtf((float)head_width), NULL, HEED_EVERYWHERE, HEED_EVERYWHERE},
               .dropout = dropout,
               .q_tokens = q_offsets[sequences],
               .kv_tokens = kv_offsets[sequences],
               .width = width};
  int64_t q_count = p.q_tokens * p.shape.q_stride, kv_count = p.kv_tokens * p.shape.kv_stride, out_count = p.q_tokens * width;
  p.q = test_rounded(kernels, test_random(q_count, 1, 2.0), q_count);
  p.kv = test_rounded(kernels, test_random(kv_count, 2, 2.0), kv_count);
  p.d_out = test_rounded(kernels, test_random(out_count, 3, 1.0), out_count);
  p.out = test_floats(out_count);
  p.lse = test_floats(p.q_tokens * heads);
  p.d_q = test_floats(q_count);
  p.d_kv = test_floats(kv_count);
  return p;
}

/** The same with a band. */
static inline problem banded(problem p, int64_t behind, int64_t ahead) {
  p.shape.behind = behind;
  p.shape.ahead = ahead;
  return p;
}

/** The problem's tensors as elements. */
typedef struct operands {
  const problem *p;
  void *q, *kv, *d_out, *out, *d_q, *d_kv;
  size_t width; /* of keys beside values, in bytes */
} operands;

static inline void attend_forward(const heed_kernels *k, const void *data, float *scratch) {
  const operands *o = data;
  k->attention_forward(o->out, o->p->lse, o->q, o->kv, (char *)o->kv + o->width, &o->p->shape, o->p->dropout, scratch);
}
static inline void attend_backward(const heed_kernels *k, const void *data, float *scratch) {
  const operands *o = data;
  k->attention_backward(o->d_q, o->d_kv, (char *)o->d_kv + o->width, o->d_out, o->out, o->p->lse, o->q, o->kv, (char *)o->kv + o->width,
                        &o->p->shape, o->p->dropout, scratch);
}

static inline operands operands_of(const heed_kernels *k, const problem *p) {
  int64_t q = p->q_tokens * p->shape.q_stride, kv = p->kv_tokens * p->shape.kv_stride, out = p->q_tokens * p->width;
  return (operands){p,
                    test_elements(k, p->q, q),
                    test_elements(k, p->kv, kv),
                    test_elements(k, p->d_out, out),
                    test_elements(k, p->out, out),
                    test_elements(k, p->d_q, q),
                    test_elements(k, p->d_kv, kv),
                    (size_t)p->width * k->element_bytes};
}

/** Runs a call with the scratch that its longest sequence needs, and sees that no more is used. */
static inline void attend(const heed_kernels *k, int threads, test_call call, const problem *p, const void *data) {
  enum { GUARD = 16 };
  int64_t longest = 1, floats;
  for (int64_t b = 0; b < p->shape.sequences; b++) {
    int64_t queries = p->shape.q_offsets[b + 1] - p->shape.q_offsets[b], keys = p->shape.kv_offsets[b + 1] - p->shape.kv_offsets[b];
    longest = queries > longest ? queries : longest;
    longest = keys > longest ? keys : longest;
  }
  floats = k->scratch_floats(1, longest, p->shape.head_width, 1);
  float *scratch = test_floats(threads * (floats + GUARD));
  for (int64_t i = 0; i < threads * (floats + GUARD); i++)
    scratch[i] = NAN; /* what is read before it is written shows */
#pragma omp parallel num_threads(threads)
  call(k, data, scratch + omp_get_thread_num() * (floats + GUARD));
  for (int64_t i = 0; i < threads * GUARD; i++)
    CU_ASSERT_FATAL(isnan(scratch[i / GUARD * (floats + GUARD) + floats + i % GUARD]));
}

static inline void forward(const heed_kernels *k, int threads, const problem *p) {
  int mark = test_pool_count;
  operands o = operands_of(k, p);
  attend(k, threads, attend_forward, p, &o);
  memcpy(p->out, test_values(k, o.out, p->q_tokens * p->width), (size_t)(p->q_tokens * p->width) * sizeof *p->out);
  test_release_to(mark);
}
static inline void backward(const heed_kernels *k, int threads, const problem *p) {
  int mark = test_pool_count;
  operands o = operands_of(k, p);
  attend(k, threads, attend_backward, p, &o);
  memcpy(p->d_q, test_values(k, o.d_q, p->q_tokens * p->shape.q_stride), (size_t)(p->q_tokens * p->shape.q_stride) * sizeof *p->d_q);
  memcpy(p->d_kv, test_values(k, o.d_kv, p->kv_tokens * p->shape.kv_stride), (size_t)(p->kv_tokens * p->shape.kv_stride) * sizeof *p->d_kv);
  test_release_to(mark);
}

#endif
