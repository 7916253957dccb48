/* Attention against the double twin, over ragged and crossed streams and in every band; the twin against differences; what leaves no trace
 * in the bits. */
#include "kernels/attention_fixture.h"
#include "reference/gradient_check.h"

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
  for (int64_t i = 0; i < p.q_tokens * p.shape.heads; i++)
    if (lse[i] == -INFINITY && p.lse[i] == -INFINITY) /* they differ by no number */
      lse[i] = p.lse[i] = 0;
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

/* What a query sees: causal, all that comes after, windows, causal windows; and bands wider than any sequence. */
enum { ALL_KEYS = -1 };
static const int64_t bands[][2] = {{ALL_KEYS, 0}, {0, ALL_KEYS}, {3, 3}, {64, 64}, {17, 0}, {1, 30}, {1000, 1000}};
enum { BANDS = sizeof bands / sizeof *bands };

static problem in_band(problem p, int band) {
  return banded(p, bands[band][0] == ALL_KEYS ? HEED_EVERYWHERE : bands[band][0],
                bands[band][1] == ALL_KEYS ? HEED_EVERYWHERE : bands[band][1]);
}

static void check_bands(const heed_kernels *kernels) {
  static const int64_t lengths[] = {33, 1, 0, 128, 200, 65}, long_one[] = {517};
  static const int64_t queries[] = {20, 0, 140, 3, 1}, keys[] = {31, 9, 5, 200, 70};
  for (int band = 0; band < BANDS; band++) {
    int mark = test_pool_count;
    compare(kernels, in_band(make(6, lengths, lengths, 2, 20, &no_dropout), band));
    compare(kernels, in_band(make(6, lengths, lengths, 3, 7, &some_dropout), band));
    compare(kernels, in_band(make(1, long_one, long_one, 1, 16, &some_dropout), band));
    compare(kernels, in_band(make(5, queries, keys, 2, 12, &some_dropout), band));
    test_release_to(mark);
  }
}

/* A window of 0: each query takes its own value as it is, and moves no weight. */
static void check_alone(const heed_kernels *kernels) {
  static const int64_t lengths[] = {33, 1, 150};
  problem p = banded(make(3, lengths, lengths, 2, 12, &no_dropout), 0, 0);
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, backward, &p);
  int64_t wrong = 0;
  for (int64_t t = 0; t < p.q_tokens; t++)
    for (int64_t c = 0; c < p.width; c++) {
      const float *key = p.kv + t * p.shape.kv_stride, *d_key = p.d_kv + t * p.shape.kv_stride;
      wrong += p.out[t * p.width + c] != key[p.width + c] || d_key[p.width + c] != p.d_out[t * p.width + c];
      wrong += fabsf(p.d_q[t * p.shape.q_stride + c]) > 1e-5f || fabsf(d_key[c]) > 1e-5f;
    }
  CU_ASSERT_EQUAL(wrong, 0);
}

/* A query that sees nothing: the first of a sequence with fewer keys than queries, causal. */
static void check_blind(const heed_kernels *kernels) {
  static const int64_t queries[] = {150}, keys[] = {9};
  problem p = banded(make(1, queries, keys, 2, 12, &some_dropout), HEED_EVERYWHERE, 0);
  for (int64_t i = 0; i < p.q_tokens * p.width; i++)
    p.out[i] = NAN;
  for (int64_t i = 0; i < p.q_tokens * p.shape.q_stride; i++)
    p.d_q[i] = NAN;
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, backward, &p);
  int64_t wrong = 0;
  for (int64_t t = 0; t < 141; t++) {
    wrong += p.lse[2 * t] != -INFINITY || p.lse[2 * t + 1] != -INFINITY;
    for (int64_t c = 0; c < p.width; c++)
      wrong += p.out[t * p.width + c] != 0.0f || p.d_q[t * p.shape.q_stride + c] != 0.0f;
  }
  CU_ASSERT_EQUAL(wrong, 0);
  CU_ASSERT(isfinite(p.lse[2 * 141]) && isfinite(p.d_kv[0]));
}

/* As generation calls it: keys in a cache with room behind each sequence, the newest queries only.  What lies in the room is neither read
 * nor written, and the queries come out as they do from the whole sequence. */
static void check_cache(const heed_kernels *kernels) {
  static const int64_t rooms[] = {90, 70, 16}, lengths[] = {61, 70, 1}, fresh[] = {1, 5, 1};
  problem p = banded(make(3, fresh, rooms, 2, 12, &no_dropout), 40, 0),
          whole = banded(make(3, lengths, lengths, 2, 12, &no_dropout), 40, 0);
  int64_t ends[3];
  for (int64_t b = 0; b < 3; b++) {
    ends[b] = p.shape.kv_offsets[b] + lengths[b];
    memcpy(whole.kv + whole.shape.kv_offsets[b] * p.shape.kv_stride, p.kv + p.shape.kv_offsets[b] * p.shape.kv_stride,
           (size_t)(lengths[b] * p.shape.kv_stride) * sizeof(float));
    memcpy(whole.q + (whole.shape.q_offsets[b + 1] - fresh[b]) * p.shape.q_stride, p.q + p.shape.q_offsets[b] * p.shape.q_stride,
           (size_t)(fresh[b] * p.shape.q_stride) * sizeof(float));
    for (int64_t i = ends[b] * p.shape.kv_stride; i < p.shape.kv_offsets[b + 1] * p.shape.kv_stride; i++)
      p.kv[i] = p.d_kv[i] = NAN;
  }
  p.shape.kv_ends = ends;
  test_run(kernels, 2, forward, &p);
  test_run(kernels, 2, backward, &p);
  test_run(kernels, 2, forward, &whole);
  int64_t wrong = 0;
  for (int64_t b = 0; b < 3; b++) {
    double *out = test_widen(whole.out + (whole.shape.q_offsets[b + 1] - fresh[b]) * p.width, fresh[b] * p.width);
    CU_ASSERT(test_error(p.out + p.shape.q_offsets[b] * p.width, out, fresh[b] * p.width) < 1e-6);
    for (int64_t i = p.shape.kv_offsets[b] * p.shape.kv_stride; i < p.shape.kv_offsets[b + 1] * p.shape.kv_stride; i++)
      wrong += isnan(p.d_kv[i]) != (i >= ends[b] * p.shape.kv_stride);
  }
  CU_ASSERT_EQUAL(wrong, 0);
  for (int64_t i = 0; i < p.kv_tokens * p.shape.kv_stride; i++)
    p.d_kv[i] = isnan(p.d_kv[i]) ? 0.0f : p.d_kv[i];
  compare(kernels, p);
}

/* Keys and values that a query does not see leave no trace in its bits, nor it in their gradients. */
static void check_unseen(const heed_kernels *kernels) {
  static const int64_t length[] = {150};
  for (int band = 0; band < BANDS - 1; band++) {
    problem p = in_band(make(1, length, length, 2, 16, &some_dropout), band),
            other = in_band(make(1, length, length, 2, 16, &some_dropout), band);
    int64_t query = 70, changed = 0;
    for (int64_t j = 0; j < 150; j++)
      if (!reference_attention_sees(&p.shape, 0, query, j)) {
        changed++;
        for (int64_t c = 0; c < 2 * p.width; c++)
          other.kv[j * p.shape.kv_stride + c] += 9.0f;
      }
    CU_ASSERT(changed > 0);
    memset(p.d_out, 0, (size_t)(150 * p.width) * sizeof(float));
    for (int64_t c = 0; c < p.width; c++)
      p.d_out[query * p.width + c] = 1.0f;
    test_run(kernels, 2, forward, &p);
    test_run(kernels, 2, backward, &p);
    test_run(kernels, 2, forward, &other);
    CU_ASSERT(memcmp(p.out + query * p.width, other.out + query * p.width, (size_t)p.width * sizeof(float)) == 0);
    int64_t wrong = 0;
    for (int64_t j = 0; j < 150; j++)
      for (int64_t c = 0; c < 2 * p.width; c++)
        wrong += !reference_attention_sees(&p.shape, 0, query, j) && p.d_kv[j * p.shape.kv_stride + c] != 0.0f;
    CU_ASSERT_EQUAL(wrong, 0);
  }
}

static void check_bits_in_band(const heed_kernels *kernels, int64_t behind, int64_t ahead) {
  static const int64_t lengths[] = {33, 150, 1, 64};
  problem p = banded(make(4, lengths, lengths, 3, 16, &some_dropout), behind, ahead);
  CU_ASSERT(test_same_on_threads(kernels, forward, &p, p.out, p.q_tokens * p.width));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_kv, p.kv_tokens * p.shape.kv_stride));
  CU_ASSERT(test_same_on_threads(kernels, backward, &p, p.d_q, p.q_tokens * p.shape.q_stride));
  for (int64_t b = 0; b < 4; b++) { /* each sequence alone, dropout included */
    problem alone = banded(make(1, lengths + b, lengths + b, 3, 16, &some_dropout), behind, ahead);
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

static void check_bits(const heed_kernels *kernels) {
  check_bits_in_band(kernels, HEED_EVERYWHERE, HEED_EVERYWHERE);
  check_bits_in_band(kernels, HEED_EVERYWHERE, 0);
  check_bits_in_band(kernels, 20, 20);
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

/** The twin's gradients in the order of the objective's variables. */
static double *twin_gradients(const problem *p, const double *v, int64_t q_count, int64_t all) {
  double *d = test_doubles(all), *d_out = test_widen(p->d_out, p->q_tokens * p->width);
  reference_attention_backward(d, d + q_count, d + q_count + p->width, d_out, v, v + q_count, v + q_count + p->width, &p->shape,
                               p->dropout);
  return d;
}

static void gradient(void) {
  static const int64_t queries[] = {4, 2, 5}, keys[] = {3, 6, 5},
                       widths[][2] = {{HEED_EVERYWHERE, HEED_EVERYWHERE}, {HEED_EVERYWHERE, 0}, {1, 2}};
  for (int band = 0; band < 3; band++) {
    problem p = banded(make(3, queries, keys, 2, 3, &some_dropout), widths[band][0], widths[band][1]);
    int64_t q_count = p.q_tokens * p.shape.q_stride, all = q_count + p.kv_tokens * p.shape.kv_stride;
    double *v = test_widen(test_random(all, 6, 1.0), all), *d = twin_gradients(&p, v, q_count, all);
    CU_ASSERT(test_gradient_holds(objective, &p, v, d, all));
    for (int64_t i = 0; i < q_count; i++)
      d[i] *= 1.1; /* a wrong scale of the queries' gradient */
    CU_ASSERT_FALSE(test_gradient_holds(objective, &p, v, d, all));
    if (band > 0) { /* a backward that forgets the band */
      problem full = banded(p, HEED_EVERYWHERE, HEED_EVERYWHERE);
      CU_ASSERT_FALSE(test_gradient_holds(objective, &p, v, twin_gradients(&full, v, q_count, all), all));
    }
  }
  test_release();
}

static void twin(void) {
  test_each_level(check_twin);
}
static void cross(void) {
  test_each_level(check_cross);
}
static void in_bands(void) {
  test_each_level(check_bands);
}
static void alone(void) {
  test_each_level(check_alone);
}
static void blind(void) {
  test_each_level(check_blind);
}
static void cache(void) {
  test_each_level(check_cache);
}
static void unseen(void) {
  test_each_level(check_unseen);
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
           {"causal, windows and other bands", in_bands}, {"a window of 0", alone}, {"queries that see no key", blind},
           {"keys in a cache, the newest queries", cache}, {"what is not seen leaves no trace", unseen},
           {"bits do not depend on threads or packing", bits}, {"order of keys and shift of scores leave no trace", identities},
           {"8,192 keys", long_sequence}, {"the twin's gradient fits differences, a wrong one does not", gradient})
