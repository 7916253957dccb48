/* The weights of attention and their entropy against the double twin, in every kind of band; what is known of them without one. */
#include "kernels/attention_fixture.h"

/** A problem, the sequence to look at, and what is seen. */
typedef struct look {
  problem p;
  int64_t sequence;
  float *weights;
  double *entropy;
  const void *q, *k; /* as elements */
} look;

static void call_weights(const heed_kernels *k, const void *data, float *scratch) {
  const look *l = data;
  k->attention_weights(l->weights, l->q, l->k, l->p.lse, &l->p.shape, l->sequence, scratch);
}
static void call_entropy(const heed_kernels *k, const void *data, float *scratch) {
  const look *l = data;
  k->attention_entropy(l->entropy, l->q, l->k, l->p.lse, &l->p.shape, scratch);
}

/** Either of them. */
static void run(const heed_kernels *k, int threads, test_call call, look l) {
  l.q = test_elements(k, l.p.q, l.p.q_tokens * l.p.shape.q_stride);
  l.k = test_elements(k, l.p.kv, l.p.kv_tokens * l.p.shape.kv_stride);
  attend(k, threads, call, &l.p, &l);
}

static const int64_t behinds[] = {HEED_EVERYWHERE, HEED_EVERYWHERE, 20, 9, 0}, aheads[] = {HEED_EVERYWHERE, 0, 20, 0, 0};
enum { BANDS = sizeof behinds / sizeof *behinds, SEQUENCES = 5, HEADS = 3, ENTROPIES = SEQUENCES * HEADS };

static look look_at(const heed_kernels *kernels, problem p) {
  look l = {.p = p, .entropy = test_doubles(p.shape.sequences * p.shape.heads)};
  forward(kernels, 2, &p);
  return l;
}

static void check_weights(const heed_kernels *kernels) {
  static const int64_t queries[SEQUENCES] = {33, 1, 0, 150, 40}, keys[SEQUENCES] = {33, 1, 4, 150, 7};
  for (int band = 0; band < BANDS; band++) {
    look l = look_at(kernels, banded(make(kernels, SEQUENCES, queries, keys, HEADS, 7, &some_dropout), behinds[band], aheads[band]));
    double *q = test_widen(l.p.q, l.p.q_tokens * l.p.shape.q_stride), *k = test_widen(l.p.kv, l.p.kv_tokens * l.p.shape.kv_stride);
    for (l.sequence = 0; l.sequence < SEQUENCES; l.sequence++) {
      int64_t count = HEADS * queries[l.sequence] * keys[l.sequence], unseen = 0;
      double *want = test_doubles(count);
      l.weights = test_floats(count + 1);
      for (int64_t i = 0; i <= count; i++)
        l.weights[i] = 7.0f;
      run(kernels, 2, call_weights, l);
      reference_attention_weights(want, q, k, &l.p.shape, l.sequence);
      CU_ASSERT(count == 0 || test_error(l.weights, want, count) < 2e-6);
      for (int64_t i = 0; i < count; i++)
        unseen += want[i] == 0.0 && l.weights[i] != 0.0f;
      CU_ASSERT(unseen == 0 && l.weights[count] == 7.0f);
    }
    test_release();
  }
}

static void check_entropy(const heed_kernels *kernels) {
  static const int64_t queries[SEQUENCES] = {33, 1, 0, 150, 40}, keys[SEQUENCES] = {33, 1, 4, 150, 7};
  for (int band = 0; band < BANDS; band++) {
    look l = look_at(kernels, banded(make(kernels, SEQUENCES, queries, keys, HEADS, 7, &some_dropout), behinds[band], aheads[band]));
    double *q = test_widen(l.p.q, l.p.q_tokens * l.p.shape.q_stride), *k = test_widen(l.p.kv, l.p.kv_tokens * l.p.shape.kv_stride);
    double *want = test_doubles(ENTROPIES), *first = test_doubles(ENTROPIES);
    reference_attention_entropy(want, q, k, &l.p.shape);
    for (int threads = 1; threads <= 3; threads++) {
      run(kernels, threads, call_entropy, l);
      if (threads == 1)
        memcpy(first, l.entropy, ENTROPIES * sizeof *first);
      CU_ASSERT(memcmp(first, l.entropy, ENTROPIES * sizeof *first) == 0);
    }
    for (int i = 0; i < ENTROPIES; i++)
      CU_ASSERT(fabs(l.entropy[i] - want[i]) <= 1e-6 * fabs(want[i]) + 1e-6 * (double)queries[i / HEADS]);
    test_release();
  }
}

/* Equal scores: 1/n each, and ln n.  One key takes all: no entropy, though the other weights are 0. */
static void check_known(const heed_kernels *kernels) {
  static const int64_t queries[] = {2}, keys[] = {100};
  look l = look_at(kernels, make(kernels, 1, queries, keys, 1, 4, &no_dropout));
  memset(l.p.kv, 0, (size_t)(100 * l.p.shape.kv_stride) * sizeof(float));
  forward(kernels, 1, &l.p);
  run(kernels, 1, call_entropy, l);
  CU_ASSERT_DOUBLE_EQUAL(l.entropy[0], 2.0 * log(100.0), 1e-5);
  for (int64_t c = 0; c < 4; c++) {
    l.p.q[c] = l.p.q[l.p.shape.q_stride + c] = 20.0f;
    l.p.kv[c] = 20.0f;
  }
  forward(kernels, 1, &l.p);
  run(kernels, 1, call_entropy, l);
  CU_ASSERT(l.entropy[0] == 0.0);
  l.p.q[0] = NAN; /* shows */
  forward(kernels, 1, &l.p);
  run(kernels, 1, call_entropy, l);
  CU_ASSERT(isnan(l.entropy[0]));
}

static void maps(void) {
  test_each_element(check_weights);
}
static void spread(void) {
  test_each_element(check_entropy);
}
static void known(void) {
  test_each_element(check_known);
}

HEED_TESTS({"weights are those of the double twin, 0 where not seen", maps}, {"entropy likewise, its bits on any threads", spread},
           {"equal scores, a single winner, NaN", known})
