/* Attention against the double twin, over ragged and crossed streams and in every band; the twin against differences; what leaves no trace
 * in the bits. */
#include "kernels/attention_fixture.h"
#include "reference/gradient_check.h"

/* Relative to the size of the whole.  fp32: some roundings of 2⁻²⁴ a sum, and exp's.  bf16: roundings to 8 bits, uniform in ±2⁻⁹ of a
 * number, so 1.1e-3 each in the mean: of weights and of out; in backward of out, of weights, of dS and of the result, and δ is as
 * large as dP. */
typedef struct bounds {
  double out, lse, gradients;
} bounds;

static bounds bounds_of(const heed_kernels *kernels) {
  return kernels->element_bytes == 2 ? (bounds){3e-3, 1e-6, 6e-3} : (bounds){2e-6, 1e-6, 3e-6};
}

static void compare(const heed_kernels *kernels, problem p) {
  int64_t q_count = p.q_tokens * p.shape.q_stride, kv_count = p.kv_tokens * p.shape.kv_stride, out_count = p.q_tokens * p.width;
  double *q = test_widen(p.q, q_count), *kv = test_widen(p.kv, kv_count), *d_out = test_widen(p.d_out, out_count);
  double *out = test_doubles(out_count), *lse = test_doubles(p.q_tokens * p.shape.heads), *d_q = test_doubles(q_count),
         *d_kv = test_doubles(kv_count);
  bounds most = bounds_of(kernels);
  reference_attention_forward(out, lse, q, kv, kv + p.width, &p.shape, p.dropout);
  reference_attention_backward(d_q, d_kv, d_kv + p.width, d_out, q, kv, kv + p.width, &p.shape, p.dropout);
  forward(kernels, 2, &p);
  backward(kernels, 2, &p);
  if (getenv("SHOW"))
    printf("%s %zu: out %.2e dq %.2e dkv %.2e\n", kernels->isa, kernels->element_bytes, test_error(p.out, out, out_count),
           test_error(p.d_q, d_q, q_count), test_error(p.d_kv, d_kv, kv_count));
  CU_ASSERT(test_error(p.out, out, out_count) < most.out);
  for (int64_t i = 0; i < p.q_tokens * p.shape.heads; i++)
    if (lse[i] == -INFINITY && p.lse[i] == -INFINITY) /* they differ by no number */
      lse[i] = p.lse[i] = 0;
  CU_ASSERT(test_error(p.lse, lse, p.q_tokens * p.shape.heads) < most.lse);
  CU_ASSERT(test_error(p.d_q, d_q, q_count) < most.gradients);
  CU_ASSERT(test_error(p.d_kv, d_kv, kv_count) < most.gradients);
}

static void check_twin(const heed_kernels *kernels) {
  static const int64_t lengths[] = {33, 1, 128, 7, 16, 65};
  compare(kernels, make(kernels, 6, lengths, lengths, 3, 8, &no_dropout));
  compare(kernels, make(kernels, 6, lengths, lengths, 2, 20, &some_dropout));
  static const int64_t longer[] = {300, 600, 515}; /* more than one block of queries, and than one chunk of keys */
  compare(kernels, make(kernels, 3, longer, longer, 1, 16, &some_dropout));
  static const int64_t one[] = {70};
  compare(kernels, make(kernels, 1, one, one, 1, 64, &some_dropout));
  compare(kernels, make(kernels, 1, one, one, 2, 33, &some_dropout));
  compare(kernels, make(kernels, 1, one, one, 1, 80, &no_dropout));
  test_release();
}

/* Queries of one stream, keys of another; a sequence without queries, and one without keys. */
static void check_cross(const heed_kernels *kernels) {
  static const int64_t queries[] = {20, 0, 140, 3}, keys[] = {31, 9, 5, 200}, none[] = {31, 0, 5, 200}, some[] = {20, 4, 140, 3};
  compare(kernels, make(kernels, 4, queries, keys, 2, 12, &some_dropout));
  problem p = make(kernels, 4, some, none, 2, 12, &no_dropout);
  for (int64_t i = 0; i < p.q_tokens * p.width; i++)
    p.out[i] = NAN;
  forward(kernels, 2, &p);
  for (int64_t i = 0; i < p.q_tokens * p.shape.q_stride; i++)
    p.d_q[i] = NAN;
  backward(kernels, 2, &p);
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
  static const int64_t lengths[] = {33, 1, 0, 128, 200, 65}, long_one[] = {617};
  static const int64_t queries[] = {20, 0, 140, 3, 1}, keys[] = {31, 9, 5, 200, 70};
  for (int band = 0; band < BANDS; band++) {
    int mark = test_pool_count;
    compare(kernels, in_band(make(kernels, 6, lengths, lengths, 2, 20, &no_dropout), band));
    compare(kernels, in_band(make(kernels, 6, lengths, lengths, 3, 7, &some_dropout), band));
    compare(kernels, in_band(make(kernels, 1, long_one, long_one, 1, 16, &some_dropout), band));
    compare(kernels, in_band(make(kernels, 5, queries, keys, 2, 12, &some_dropout), band));
    test_release_to(mark);
  }
}

/* A window of 0: each query takes its own value as it is, and moves no weight. */
static void check_alone(const heed_kernels *kernels) {
  static const int64_t lengths[] = {33, 1, 150};
  problem p = banded(make(kernels, 3, lengths, lengths, 2, 12, &no_dropout), 0, 0);
  forward(kernels, 2, &p);
  backward(kernels, 2, &p);
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
  problem p = banded(make(kernels, 1, queries, keys, 2, 12, &some_dropout), HEED_EVERYWHERE, 0);
  for (int64_t i = 0; i < p.q_tokens * p.width; i++)
    p.out[i] = NAN;
  for (int64_t i = 0; i < p.q_tokens * p.shape.q_stride; i++)
    p.d_q[i] = NAN;
  forward(kernels, 2, &p);
  backward(kernels, 2, &p);
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
  problem p = banded(make(kernels, 3, fresh, rooms, 2, 12, &no_dropout), 40, 0),
          whole = banded(make(kernels, 3, lengths, lengths, 2, 12, &no_dropout), 40, 0);
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
  forward(kernels, 2, &p);
  backward(kernels, 2, &p);
  forward(kernels, 2, &whole);
  int64_t wrong = 0;
  for (int64_t b = 0; b < 3; b++) {
    double *out = test_widen(whole.out + (whole.shape.q_offsets[b + 1] - fresh[b]) * p.width, fresh[b] * p.width);
    CU_ASSERT(test_error(p.out + p.shape.q_offsets[b] * p.width, out, fresh[b] * p.width) < bounds_of(kernels).out);
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
    problem p = in_band(make(kernels, 1, length, length, 2, 16, &some_dropout), band),
            other = in_band(make(kernels, 1, length, length, 2, 16, &some_dropout), band);
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
    forward(kernels, 2, &p);
    backward(kernels, 2, &p);
    forward(kernels, 2, &other);
    CU_ASSERT(memcmp(p.out + query * p.width, other.out + query * p.width, (size_t)p.width * sizeof(float)) == 0);
    int64_t wrong = 0;
    for (int64_t j = 0; j < 150; j++)
      for (int64_t c = 0; c < 2 * p.width; c++)
        wrong += !reference_attention_sees(&p.shape, 0, query, j) && p.d_kv[j * p.shape.kv_stride + c] != 0.0f;
    CU_ASSERT_EQUAL(wrong, 0);
  }
}

/** The same bits on 1, 2, 3 and 4 threads. */
static void check_threads(const heed_kernels *kernels, problem p) {
  size_t out = (size_t)(p.q_tokens * p.width) * sizeof(float), lse = (size_t)(p.q_tokens * p.shape.heads) * sizeof(float),
         d_q = (size_t)(p.q_tokens * p.shape.q_stride) * sizeof(float), d_kv = (size_t)(p.kv_tokens * p.shape.kv_stride) * sizeof(float);
  problem first = p;
  for (int threads = 1; threads <= TEST_THREADS; threads++) {
    p.out = memset(test_floats(p.q_tokens * p.width), 0, out);
    p.lse = test_floats(p.q_tokens * p.shape.heads);
    p.d_q = memset(test_floats(p.q_tokens * p.shape.q_stride), 0, d_q);
    p.d_kv = memset(test_floats(p.kv_tokens * p.shape.kv_stride), 0, d_kv);
    forward(kernels, threads, &p);
    backward(kernels, threads, &p);
    if (threads == 1)
      first = p;
    CU_ASSERT(memcmp(p.out, first.out, out) == 0 && memcmp(p.lse, first.lse, lse) == 0);
    CU_ASSERT(memcmp(p.d_q, first.d_q, d_q) == 0 && memcmp(p.d_kv, first.d_kv, d_kv) == 0);
  }
}

static void check_bits_in_band(const heed_kernels *kernels, int64_t behind, int64_t ahead) {
  static const int64_t lengths[] = {33, 150, 1, 64};
  problem p = banded(make(kernels, 4, lengths, lengths, 3, 16, &some_dropout), behind, ahead);
  check_threads(kernels, p);
  forward(kernels, 2, &p);
  backward(kernels, 2, &p);
  for (int64_t b = 0; b < 4; b++) { /* each sequence alone, dropout included */
    problem alone = banded(make(kernels, 1, lengths + b, lengths + b, 3, 16, &some_dropout), behind, ahead);
    heed_dropout dropout = some_dropout;
    dropout.first_row += (uint32_t)b;
    alone.dropout = &dropout;
    alone.q = p.q + p.shape.q_offsets[b] * p.shape.q_stride;
    alone.kv = p.kv + p.shape.kv_offsets[b] * p.shape.kv_stride;
    alone.d_out = p.d_out + p.shape.q_offsets[b] * p.width;
    forward(kernels, 1, &alone);
    backward(kernels, 1, &alone);
    size_t rows = (size_t)lengths[b];
    CU_ASSERT(memcmp(alone.out, p.out + p.shape.q_offsets[b] * p.width, rows * (size_t)p.width * sizeof(float)) == 0);
    CU_ASSERT(memcmp(alone.d_kv, p.d_kv + p.shape.kv_offsets[b] * p.shape.kv_stride, rows * (size_t)p.shape.kv_stride * sizeof(float)) ==
              0);
    CU_ASSERT(memcmp(alone.d_q, p.d_q + p.shape.q_offsets[b] * p.shape.q_stride, rows * (size_t)p.shape.q_stride * sizeof(float)) == 0);
  }
}

static void check_bits(const heed_kernels *kernels) {
  static const int64_t long_one[] = {700};
  check_threads(kernels, make(kernels, 1, long_one, long_one, 1, 16, &some_dropout)); /* fewer heads than threads: queries are shared */
  check_bits_in_band(kernels, HEED_EVERYWHERE, HEED_EVERYWHERE);
  check_bits_in_band(kernels, HEED_EVERYWHERE, 0);
  check_bits_in_band(kernels, 20, 20);
}

/* Keys in another order leave the output as it is; so does a constant added to all scores of a query. */
static void check_identities(const heed_kernels *kernels) {
  static const int64_t length[] = {50};
  problem p = make(kernels, 1, length, length, 2, 8, &no_dropout), turned = make(kernels, 1, length, length, 2, 8, &no_dropout);
  for (int64_t j = 0; j < 50; j++)
    memcpy(turned.kv + j * p.shape.kv_stride, p.kv + (j * 7 + 3) % 50 * p.shape.kv_stride, (size_t)p.shape.kv_stride * sizeof(float));
  forward(kernels, 1, &p);
  forward(kernels, 1, &turned);
  double *out = test_widen(p.out, 50 * p.width), *lse = test_widen(p.lse, 100);
  double most = kernels->element_bytes == 2 ? 3e-3 : 1e-6;
  CU_ASSERT(test_error(turned.out, out, 50 * p.width) < most);
  if (kernels->element_bytes == 2)
    return;                        /* the shifted keys would be rounded */
  for (int64_t j = 0; j < 50; j++) /* the same vector added to each key adds q·vector to each score of q */
    for (int64_t c = 0; c < p.width; c++)
      p.kv[j * p.shape.kv_stride + c] += 5.0f;
  forward(kernels, 1, &p);
  CU_ASSERT(test_error(p.out, out, 50 * p.width) < 10 * most);
  CU_ASSERT(test_error(p.lse, lse, 100) > 0.1);
}

/* The longest sequence: softmax of equal scores over 8,192 keys is their mean, and scratch is enough. */
static void check_long(const heed_kernels *kernels) {
  static const int64_t queries[] = {20}, keys[] = {8192};
  problem p = make(kernels, 1, queries, keys, 1, 4, &no_dropout);
  for (int64_t t = 0; t < 8192; t++)
    for (int64_t c = 0; c < 4; c++) {
      p.kv[t * p.shape.kv_stride + c] = 1.0f;
      p.kv[t * p.shape.kv_stride + 4 + c] = (float)(t % 5);
    }
  forward(kernels, 2, &p);
  CU_ASSERT_DOUBLE_EQUAL(p.out[7], 1.9997, 1e-3 + (kernels->element_bytes == 2 ? 4e-3 : 0.0));
  backward(kernels, 2, &p);
  double sum = 0.0, want = 0.0;
  for (int64_t t = 0; t < 8192; t++)
    sum += (double)p.d_kv[t * p.shape.kv_stride + 4]; /* Σ_keys d_v = Σ_queries d_out */
  for (int64_t t = 0; t < 20; t++)
    want += (double)p.d_out[t * 4];
  CU_ASSERT_DOUBLE_EQUAL(sum, want, kernels->element_bytes == 2 ? 1e-2 : 1e-4);
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
    problem p = banded(make(heed_kernels_choose(NULL), 3, queries, keys, 2, 3, &some_dropout), widths[band][0], widths[band][1]);
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
  test_each_element(check_twin);
}
static void cross(void) {
  test_each_element(check_cross);
}
static void in_bands(void) {
  test_each_element(check_bands);
}
static void alone(void) {
  test_each_element(check_alone);
}
static void blind(void) {
  test_each_element(check_blind);
}
static void cache(void) {
  test_each_element(check_cache);
}
static void unseen(void) {
  test_each_element(check_unseen);
}
static void bits(void) {
  test_each_element(check_bits);
}
static void identities(void) {
  test_each_element(check_identities);
}
static void long_sequence(void) {
  test_each_element(check_long);
}

HEED_TESTS({"results are those of the double twin", twin}, {"queries and keys of two streams, and none of either", cross},
           {"causal, windows and other bands", in_bands}, {"a window of 0", alone}, {"queries that see no key", blind},
           {"keys in a cache, the newest queries", cache}, {"what is not seen leaves no trace", unseen},
           {"bits do not depend on threads or packing", bits}, {"order of keys and shift of scores leave no trace", identities},
           {"8,192 keys", long_sequence}, {"the twin's gradient fits differences, a wrong one does not", gradient})
