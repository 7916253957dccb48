/* Attention against the double twin, over ragged and crossed streams; the twin against differences; what leaves no trace in the bits. */
#include "reference/attention.h"

#include "kernels/kernel_test.h"
#include "reference/gradient_check.h"

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

static int64_t *offsets_of(const int64_t *lengths, int64_t sequences) {
  int64_t *offsets = test_memory(sequences + 1, sizeof *offsets);
  for (int64_t b = 0; b < sequences; b++)
    offsets[b + 1] = offsets[b] + lengths[b];
  return offsets;
}

static problem make(int64_t sequences, const int64_t *queries, const int64_t *keys, int64_t heads, int64_t head_width,
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

static void forward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->attention_forward(p->out, p->lse, p->q, p->kv, p->kv + p->width, &p->shape, p->dropout, scratch);
}
static void backward(const heed_kernels *k, const void *data, float *scratch) {
  const problem *p = data;
  k->attention_backward(p->d_q, p->d_kv, p->d_kv + p->width, p->d_out, p->out, p->lse, p->q, p->kv, p->kv + p->width, &p->shape, p->dropout,
                        scratch);
}

static void compare(const heed_kernels *kernels, problem p) {
  int64_t q_count = p.q_tokens * p.shape.q_stride, kv_count = p.kv_tokens * p.shape.kv_stride, out_count = p.q_tokens * p.width;
  double *q = test_widen(p.q, q_count), *kv = test_widen(p.kv, kv_count), *d_out = test_widen(p.d_out, out_count);
  double *out = test_doubles(out_count), *lse = test_doubles(p.q_tokens * p.shape.heads), *d_q = test_doubles(q_count),
         *d_kv = test_doubles(kv_count);
  reference_attention_forward(out, lse, q, kv, kv + p.width, &p.shape, p.dropout);
  reference_attention_backward(d_q, d_kv, d_kv + p.width, d_out, q, kv, kv + p.width, &p.shape, p.dropout);
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, backward, &p);
  CU_ASSERT(test_error(p.out, out, out_count) < 2e-6);
  CU_ASSERT(test_error(p.lse, lse, p.q_tokens * p.shape.heads) < 1e-6);
  CU_ASSERT(test_error(p.d_q, d_q, q_count) < 3e-6);
  CU_ASSERT(test_error(p.d_kv, d_kv, kv_count) < 3e-6);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t lengths[] = {33, 1, 128, 7, 16, 65};
  compare(kernels, make(6, lengths, lengths, 3, 8, &no_dropout));
  compare(kernels, make(6, lengths, lengths, 2, 20, &some_dropout));
  static const int64_t longer[] = {300, 515}; /* more than one block of queries */
  compare(kernels, make(2, longer, longer, 1, 16, &some_dropout));
  test_release();
}

/* Queries of one stream, keys of another; a sequence without queries, and one without keys. */
static void check_cross(const heed_kernels *kernels) {
  static const int64_t queries[] = {20, 0, 140, 3}, keys[] = {31, 9, 5, 200}, none[] = {31, 0, 5, 200}, some[] = {20, 4, 140, 3};
  compare(kernels, make(4, queries, keys, 2, 12, &some_dropout));
  problem p = make(4, some, none, 2, 12, &no_dropout);
  for (int64_t i = 0; i < p.q_tokens * p.width; i++)
    p.out[i] = NAN;
  test_run(kernels, 2, forward, &p);
  for (int64_t i = 0; i < p.q_tokens * p.shape.q_stride; i++)
    p.d_q[i] = NAN;
  test_run(kernels, 2, backward, &p);
  for (int64_t t = 20; t < 24; t++)
    for (int64_t c = 0; c < p.width; c++)
      CU_ASSERT(p.out[t * p.width + c] == 0.0f && p.d_q[t * p.shape.q_stride + c] == 0.0f);
  CU_ASSERT(p.lse[20 * 2] == -INFINITY);
}

static void check_bits(const heed_kernels *kernels) {
  static const int64_t lengths[] = {33, 150, 1, 64};
  problem p = make(4, lengths, lengths, 3, 16, &some_dropout);
  CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.out, p.q_tokens * p.width));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_kv, p.kv_tokens * p.shape.kv_stride));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_q, p.q_tokens * p.shape.q_stride));
  for (int64_t b = 0; b < 4; b++) { /* each sequence alone, dropout included */
    problem alone = make(1, lengths + b, lengths + b, 3, 16, &some_dropout);
    heed_dropout dropout = some_dropout;
    dropout.first_row += (uint32_t)b;
    alone.dropout = &dropout;
    alone.q = p.q + p.shape.q_offsets[b] * p.shape.q_stride;
    alone.kv = p.kv + p.shape.kv_offsets[b] * p.shape.kv_stride;
    alone.d_out = p.d_out + p.shape.q_offsets[b] * p.width;
    test_run(kernels, 1, forward, &alone);
    test_run(kernels, 1, backward, &alone);
    size_t rows = (size_t)lengths[b];
    CU_ASSERT(memcmp(alone.out, p.out + p.shape.q_offsets[b] * p.width, rows * (size_t)p.width * sizeof(float)) == 0);
    CU_ASSERT(memcmp(alone.d_kv, p.d_kv + p.shape.kv_offsets[b] * p.shape.kv_stride, rows * (size_t)p.shape.kv_stride * sizeof(float)) ==
              0);
    CU_ASSERT(memcmp(alone.d_q, p.d_q + p.shape.q_offsets[b] * p.shape.q_stride, rows * (size_t)p.shape.q_stride * sizeof(float)) == 0);
  }
}

/* Keys in another order leave the output as it is; so does a constant added to all scores of a query. */
static void check_identities(const heed_kernels *kernels) {
  static const int64_t length[] = {50};
  problem p = make(1, length, length, 2, 8, &no_dropout), turned = make(1, length, length, 2, 8, &no_dropout);
  for (int64_t j = 0; j < 50; j++)
    memcpy(turned.kv + j * p.shape.kv_stride, p.kv + (j * 7 + 3) % 50 * p.shape.kv_stride, (size_t)p.shape.kv_stride * sizeof(float));
  test_run(kernels, 1, forward, &p);
  test_run(kernels, 1, forward, &turned);
  double *out = test_widen(p.out, 50 * p.width), *lse = test_widen(p.lse, 100);
  CU_ASSERT(test_error(turned.out, out, 50 * p.width) < 1e-6);
  for (int64_t j = 0; j < 50; j++) /* the same vector added to each key adds q·vector to each score of q */
    for (int64_t c = 0; c < p.width; c++)
      p.kv[j * p.shape.kv_stride + c] += 5.0f;
  test_run(kernels, 1, forward, &p);
  CU_ASSERT(test_error(p.out, out, 50 * p.width) < 1e-5);
  CU_ASSERT(test_error(p.lse, lse, 100) > 0.1);
}

/* The longest sequence: softmax of equal scores over 8,192 keys is their mean, and scratch is enough. */
static void check_long(const heed_kernels *kernels) {
  static const int64_t queries[] = {20}, keys[] = {8192};
  problem p = make(1, queries, keys, 1, 4, &no_dropout);
  for (int64_t t = 0; t < 8192; t++)
    for (int64_t c = 0; c < 4; c++) {
      p.kv[t * p.shape.kv_stride + c] = 1.0f;
      p.kv[t * p.shape.kv_stride + 4 + c] = (float)(t % 5);
    }
  float *scratch = test_floats(kernels->scratch_floats(1, 8192, 4));
  forward(kernels, &p, scratch);
  CU_ASSERT_DOUBLE_EQUAL(p.out[7], 1.9997, 1e-3);
  backward(kernels, &p, scratch);
  double sum = 0.0, want = 0.0;
  for (int64_t t = 0; t < 8192; t++)
    sum += (double)p.d_kv[t * p.shape.kv_stride + 4]; /* Σ_keys d_v = Σ_queries d_out */
  for (int64_t t = 0; t < 20; t++)
    want += (double)p.d_out[t * 4];
  CU_ASSERT_DOUBLE_EQUAL(sum, want, 1e-4);
}

static double objective(const double *v, const void *data) {
  const problem *p = data;
  int mark = test_pool_count;
  int64_t q_count = p->q_tokens * p->shape.q_stride;
  double *out = test_doubles(p->q_tokens * p->width), *lse = test_doubles(p->q_tokens * p->shape.heads), sum = 0.0;
  reference_attention_forward(out, lse, v, v + q_count, v + q_count + p->width, &p->shape, p->dropout);
  for (int64_t i = 0; i < p->q_tokens * p->width; i++)
    sum += (double)p->d_out[i] * out[i];
  test_release_to(mark);
  return sum;
}

static void gradient(void) {
  static const int64_t queries[] = {4, 2}, keys[] = {3, 6};
  problem p = make(2, queries, keys, 2, 3, &some_dropout);
  int64_t q_count = p.q_tokens * p.shape.q_stride, all = q_count + p.kv_tokens * p.shape.kv_stride;
  double *v = test_widen(test_random(all, 6, 1.0), all), *d = test_doubles(all), *d_out = test_widen(p.d_out, p.q_tokens * p.width);
  reference_attention_backward(d, d + q_count, d + q_count + p.width, d_out, v, v + q_count, v + q_count + p.width, &p.shape, p.dropout);
  CU_ASSERT(test_gradient_holds(objective, &p, v, d, all));
  for (int64_t i = 0; i < q_count; i++)
    d[i] *= 1.1; /* a wrong scale of the queries' gradient */
  CU_ASSERT_FALSE(test_gradient_holds(objective, &p, v, d, all));
  test_release();
}

static void twin(void) {
  test_each_level(check_twin);
}
static void cross(void) {
  test_each_level(check_cross);
}
static void bits(void) {
  test_each_level(check_bits);
}
static void identities(void) {
  test_each_level(check_identities);
}
static void long_sequence(void) {
  test_each_level(check_long);
}

HEED_TESTS({"results are those of the double twin", twin}, {"queries and keys of two streams, and none of either", cross},
           {"bits do not depend on threads or packing", bits}, {"order of keys and shift of scores leave no trace", identities},
           {"8,192 keys", long_sequence}, {"the twin's gradient fits differences, a wrong one does not", gradient})
