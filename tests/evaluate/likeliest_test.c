/* The likeliest tokens against a softmax that is sorted whole. */
#include "evaluate/likeliest.h"

#include <math.h>

#include "reference/numbers.h"
#include "test.h"

enum { V = 200 };

static int by_probability(const void *a, const void *b) {
  const heed_prediction *x = a, *y = b;
  return x->probability != y->probability ? (x->probability < y->probability) - (x->probability > y->probability) : x->id - y->id;
}

static void they_begin_the_sorted_softmax(void) {
  heed_prediction all[V], best[V];
  float *logits = test_random(V, 3, 5.0);
  logits[7] = logits[50] = logits[190]; /* of equals the first comes first */
  double sum = 0;
  for (int32_t v = 0; v < V; v++)
    sum += exp((double)logits[v]);
  for (int32_t v = 0; v < V; v++)
    all[v] = (heed_prediction){v, exp((double)logits[v]) / sum};
  qsort(all, V, sizeof *all, by_probability);
  for (int64_t top = 1; top <= V; top += 33) {
    CU_ASSERT_TRUE(heed_likeliest(best, top, logits, V));
    for (int64_t i = 0; i < top; i++) {
      CU_ASSERT_EQUAL(best[i].id, all[i].id);
      CU_ASSERT_DOUBLE_EQUAL(best[i].probability, all[i].probability, 1e-13);
    }
  }
  test_release();
}

static void what_is_not_finite_is_told(void) {
  heed_prediction best[2];
  float logits[3] = {0, NAN, 1};
  CU_ASSERT_FALSE(heed_likeliest(best, 2, logits, 3));
  logits[1] = INFINITY;
  CU_ASSERT_FALSE(heed_likeliest(best, 2, logits, 3));
  logits[1] = -INFINITY; /* a probability of 0 */
  CU_ASSERT_TRUE(heed_likeliest(best, 2, logits, 3));
  CU_ASSERT_EQUAL(heed_likeliest_check(3, 3), HEED_OK);
  CU_ASSERT_EQUAL(heed_likeliest_check(4, 3), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_likeliest_check(0, 3), HEED_INVALID);
}

HEED_TESTS({"they begin the sorted softmax", they_begin_the_sorted_softmax}, {"what is not finite is told", what_is_not_finite_is_told})
