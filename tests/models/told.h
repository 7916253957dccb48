/** Watches which gradients a model says are final, and keeps them as they were then. */
#ifndef HEED_TESTS_MODELS_TOLD_H
#define HEED_TESTS_MODELS_TOLD_H

#include <string.h>

#include "models/model.h"
#include "reference/numbers.h"

typedef struct told {
  const heed_parameter_table *table;
  const float *gradients;
  float *kept;      /* [gradient_total] */
  int64_t from;     /* final from here on */
  int calls, wrong; /* wrong: calls that did not go down */
} told;

static inline void told_ready(void *self, int64_t first) {
  told *t = self;
  const int64_t end = t->calls == 0 ? t->table->gradient_total : t->from;
  t->wrong += first > t->from || first < 0;
  memcpy(t->kept + first, t->gradients + first, (size_t)(end - first) * sizeof *t->kept);
  t->from = first;
  t->calls++;
}

static inline told told_begin(heed_model *model, const float *gradients) {
  const heed_parameter_table *table = heed_model_table(model);
  return (told){.table = table, .gradients = gradients, .kept = test_floats(table->gradient_total), .from = table->total};
}

/** After a pass: all were told, one part for the heads, each sublayer and the embedding, and none was written afterwards. */
static inline void told_check(const told *t, int64_t sublayers) {
  CU_ASSERT_EQUAL(t->calls, sublayers + 2);
  CU_ASSERT_EQUAL(t->wrong, 0);
  CU_ASSERT_EQUAL(t->from, 0);
  CU_ASSERT_EQUAL(memcmp(t->kept, t->gradients, (size_t)t->table->gradient_total * sizeof *t->kept), 0);
}

#endif
