#include "evaluate/choice.h"

#include <math.h>
#include <stdlib.h>

typedef struct candidate {
  double weight;
  int32_t id;
} candidate;

struct heed_choice {
  int64_t vocabulary;
  candidate *candidates; /* [vocabulary] */
};

heed_status heed_choice_create(heed_choice **choice, int64_t vocabulary) {
  heed_choice *made = calloc(1, sizeof *made);
  if (made && (made->candidates = malloc((size_t)vocabulary * sizeof *made->candidates))) {
    made->vocabulary = vocabulary;
    *choice = made;
    return HEED_OK;
  }
  free(made);
  return heed_error(HEED_FAILED, "out of memory for a choice among %lld tokens", (long long)vocabulary);
}

void heed_choice_free(heed_choice *choice) {
  if (!choice)
    return;
  free(choice->candidates);
  free(choice);
}

static int compare(const void *a, const void *b) {
  const candidate *x = a, *y = b;
  if (x->weight != y->weight)
    return x->weight > y->weight ? -1 : 1;
  return (x->id > y->id) - (x->id < y->id);
}

/* −1 when any is not finite: a broken model must not go on writing. */
static int32_t likeliest(const float *logits, int64_t vocabulary) {
  int64_t best = 0;
  bool finite = true;
  for (int64_t v = 0; v < vocabulary; v++) {
    finite = finite && isfinite(logits[v]);
    if (logits[v] > logits[best])
      best = v;
  }
  return finite ? (int32_t)best : -1;
}

/* All tokens with e^((logit − highest) / temperature); returns their sum. */
static double weigh(candidate *candidates, const float *logits, int64_t vocabulary, double highest, double temperature) {
  double sum = 0;
  for (int64_t v = 0; v < vocabulary; v++) {
    candidates[v] = (candidate){exp((logits[v] - highest) / temperature), (int32_t)v};
    sum += candidates[v].weight;
  }
  return sum;
}

/* Leaves the candidates above a weight, in their order; of a nucleus, those that can be in it: all others together weigh too little. */
static int64_t keep_above(candidate *candidates, int64_t count, double least) {
  int64_t kept = 0;
  for (int64_t i = 0; i < count; i++)
    if (candidates[i].weight > least)
      candidates[kept++] = candidates[i];
  return kept;
}

static double sum_of(const candidate *candidates, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; i++)
    sum += candidates[i].weight;
  return sum;
}

int32_t heed_choice_of(heed_choice *choice, const float *logits, const heed_sampling *sampling, double draw) {
  candidate *candidates = choice->candidates;
  int64_t count = choice->vocabulary;
  int32_t best = likeliest(logits, count);
  if (best < 0 || sampling->temperature <= 0)
    return best;
  double sum = weigh(candidates, logits, count, logits[best], sampling->temperature);
  if (!isfinite(sum))
    return -1;
  bool few = sampling->top_k > 0 && sampling->top_k < count, nucleus = sampling->top_p < 1;
  if (nucleus && !few)
    count = keep_above(candidates, count, (1 - sampling->top_p) * sum / (double)count);
  if (few || nucleus)
    qsort(candidates, (size_t)count, sizeof *candidates, compare);
  if (few) {
    count = sampling->top_k;
    sum = sum_of(candidates, count);
  }
  if (nucleus) {
    double reached = 0;
    int64_t taken = 0;
    while (taken < count && reached < sampling->top_p * sum)
      reached += candidates[taken++].weight;
    count = taken > 0 ? taken : 1;
    sum = sum_of(candidates, count);
  }
  double left = draw * sum;
  int64_t i = 0;
  while (i + 1 < count && (left -= candidates[i].weight) >= 0)
    i++;
  return candidates[i].id;
}
