/* Choosing a token against a slow twin: which tokens are possible, and how often each comes. */
#include "evaluate/choice.h"

#include <math.h>

#include "heed/random.h"
#include "reference/numbers.h"
#include "test.h"

enum { V = 40, DRAWS = 20000 };

/* Logits with ties: 40 numbers from −4 to 4 in steps of a half, so that some are alike. */
static float *make_logits(void) {
  float *logits = test_random(V, 1, 8.4);
  for (int v = 0; v < V; v++)
    logits[v] = roundf(logits[v]) / 2;
  return logits;
}

/* The probability of every token, by ranking them one against the other. */
static void twin(double *p, const float *logits, const heed_sampling *s) {
  double sum = 0, kept = 0, reached = 0;
  int32_t order[V];
  for (int32_t v = 0; v < V; v++) {
    int32_t before = 0;
    for (int32_t u = 0; u < V; u++)
      before += logits[u] > logits[v] || (logits[u] == logits[v] && u < v);
    order[before] = v;
    p[v] = exp((double)logits[v] / s->temperature);
  }
  for (int i = 0; i < V; i++)
    if (s->top_k > 0 && i >= s->top_k)
      p[order[i]] = 0;
  for (int v = 0; v < V; v++)
    sum += p[v];
  for (int i = 0; i < V; i++) {
    bool enough = i > 0 && reached >= s->top_p * sum * (1 - 1e-12);
    reached += p[order[i]];
    if (s->top_p < 1 && enough)
      p[order[i]] = 0;
    kept += p[order[i]];
  }
  for (int v = 0; v < V; v++)
    p[v] /= kept;
}

static const heed_sampling samplings[] = {
    {.temperature = 1, .top_p = 1},
    {.temperature = 0.5, .top_p = 1},
    {.temperature = 3, .top_p = 1},
    {.temperature = 1, .top_k = 1, .top_p = 1},
    {.temperature = 1, .top_k = 7, .top_p = 1},
    {.temperature = 2, .top_k = V, .top_p = 1},
    {.temperature = 2, .top_k = 1000, .top_p = 1},
    {.temperature = 1, .top_p = 0.9},
    {.temperature = 4, .top_p = 0.5},
    {.temperature = 1, .top_p = 0.05},
    {.temperature = 1, .top_p = 0},
    {.temperature = 2, .top_k = 9, .top_p = 0.7},
    {.temperature = 5, .top_k = 30, .top_p = 0.99},
};
enum { SAMPLINGS = sizeof samplings / sizeof *samplings };

static heed_choice *make(void) {
  heed_choice *choice = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_choice_create(&choice, V), HEED_OK);
  return choice;
}

/* Draws spread evenly over (0, 1) give each token its share, to one draw. */
static void shares_are_the_twins(void) {
  float *logits = make_logits();
  heed_choice *choice = make();
  for (int k = 0; k < SAMPLINGS; k++) {
    double p[V], worst = 0;
    int64_t counts[V] = {0};
    twin(p, logits, &samplings[k]);
    for (int i = 0; i < DRAWS; i++) {
      int32_t id = heed_choice_of(choice, logits, &samplings[k], (i + 0.5) / DRAWS);
      CU_ASSERT_FATAL(id >= 0 && id < V);
      counts[id]++;
    }
    for (int v = 0; v < V; v++) {
      worst = fmax(worst, fabs((double)counts[v] - DRAWS * p[v]));
      CU_ASSERT_TRUE(p[v] > 0 || counts[v] == 0);
    }
    CU_ASSERT(worst <= 1.01);
  }
  heed_choice_free(choice);
  test_release();
}

/* Draws of the counters: χ² stays below its mean, the degrees of freedom, and four deviations. */
static void frequencies_fit(void) {
  float *logits = make_logits();
  heed_choice *choice = make();
  for (int k = 0; k < SAMPLINGS; k++) {
    double p[V], squares = 0, freedom = -1;
    int64_t counts[V] = {0};
    twin(p, logits, &samplings[k]);
    for (uint32_t i = 0; i < DRAWS; i++)
      counts[heed_choice_of(choice, logits, &samplings[k],
                            heed_uniform(heed_philox(i, (uint32_t)k, 0, 0, 5, HEED_FOR_GENERATION).word[0]))]++;
    for (int v = 0; v < V; v++)
      if (DRAWS * p[v] >= 5) {
        squares += pow((double)counts[v] - DRAWS * p[v], 2) / (DRAWS * p[v]);
        freedom++;
      }
    CU_ASSERT(squares <= freedom + 4 * sqrt(2 * fmax(freedom, 1)) + 1e-9);
  }
  heed_choice_free(choice);
  test_release();
}

static void temperature_zero_is_the_likeliest(void) {
  float *logits = make_logits();
  heed_choice *choice = make();
  int32_t best = 0;
  for (int32_t v = 1; v < V; v++)
    best = logits[v] > logits[best] ? v : best;
  for (int k = 0; k < SAMPLINGS; k++) {
    heed_sampling sampling = samplings[k];
    sampling.temperature = 0;
    for (int i = 0; i < 5; i++)
      CU_ASSERT_EQUAL(heed_choice_of(choice, logits, &sampling, 0.1 + 0.2 * i), best);
  }
  logits[best ? 0 : 1] = logits[best]; /* of equals the lower id */
  CU_ASSERT_EQUAL(heed_choice_of(choice, logits, &(heed_sampling){.top_p = 1}, 0.5), 0);
  CU_ASSERT_EQUAL(heed_choice_of(choice, logits, &(heed_sampling){.temperature = 1, .top_k = 1, .top_p = 1}, 0.999), 0);
  CU_ASSERT_EQUAL(heed_choice_of(choice, logits, &(heed_sampling){.temperature = 1, .top_p = 0}, 0.999), 0);
  heed_choice_free(choice);
  test_release();
}

/* Large logits and the ends of (0, 1) stay within the possible. */
static void extremes_are_taken(void) {
  float *logits = make_logits();
  heed_choice *choice = make();
  double p[V];
  for (int v = 0; v < V; v++)
    logits[v] *= 1e30f;
  for (double draw = 1e-300; draw < 1; draw = draw < 0.5 ? 0.5 : draw < 0.9 ? 1 - 0x1p-53 : 1) {
    int32_t id = heed_choice_of(choice, logits, &(heed_sampling){.temperature = 1, .top_p = 1}, draw);
    CU_ASSERT(id >= 0 && id < V);
  }
  test_release();
  logits = make_logits();
  for (int k = 0; k < SAMPLINGS; k++) {
    twin(p, logits, &samplings[k]);
    CU_ASSERT(p[heed_choice_of(choice, logits, &samplings[k], 1e-300)] > 0);
    CU_ASSERT(p[heed_choice_of(choice, logits, &samplings[k], 1 - 0x1p-53)] > 0);
  }
  heed_choice_free(choice);
  test_release();
}

static void what_is_not_finite_is_told(void) {
  static const float broken[] = {NAN, INFINITY, -INFINITY};
  heed_choice *choice = make();
  for (int n = 0; n < 3; n++)
    for (int place = 0; place < V; place += 13)
      for (int k = -1; k < SAMPLINGS; k++) {
        float *logits = make_logits();
        heed_sampling zero = {.top_p = 1};
        logits[place] = broken[n];
        CU_ASSERT_EQUAL(heed_choice_of(choice, logits, k < 0 ? &zero : &samplings[k], 0.5), -1);
        test_release();
      }
  heed_choice_free(choice);
}

HEED_TESTS({"shares are the twin's", shares_are_the_twins}, {"frequencies fit", frequencies_fit},
           {"temperature zero is the likeliest", temperature_zero_is_the_likeliest}, {"extremes are taken", extremes_are_taken},
           {"what is not finite is told", what_is_not_finite_is_told})
