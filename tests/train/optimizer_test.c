/* AdamW and LAMB against their formulas in double, over several steps and tensors. */
#include "train/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

enum { TENSORS = 3, STEPS = 5 };
static const int64_t counts[TENSORS] = {5000, 7, 4096};
enum { TOTAL = 5000 + 7 + 4096 };

static heed_parameter_table make_table(void) {
  heed_parameter_table table = {0};
  static const char *const names[TENSORS] = {"a", "b", "c"};
  for (int i = 0; i < TENSORS; i++) {
    heed_parameter p = {.rank = 1, .shape = {counts[i]}, .decay = i != 1, .shard_axis = -1};
    strcpy(p.name, names[i]);
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&table, &p, NULL), HEED_OK);
  }
  return table;
}

static heed_optimizer_config config_of(heed_optimizer_name name) {
  return (heed_optimizer_config){.name = name,
                                 .learning_rate = 0.01,
                                 .beta1 = 0.9,
                                 .beta2 = 0.99,
                                 .epsilon = 1e-6,
                                 .weight_decay = 0.1,
                                 .clip_norm = 1.0,
                                 .bias_correction = true};
}

/* Masters that are a whole block of floats. */
static heed_masters masters_of(const heed_optimizer *optimizer, float *w) {
  return (heed_masters){
      .chunks = heed_optimizer_chunks(optimizer), .kernels = heed_kernels_choose(NULL), .communication = heed_alone(), .values = w};
}

static double gradient_at(int step, int64_t i) {
  return sin(0.7 * (double)i + step) * 0.02;
}

/* The formulas, in double.  Decoupled decay; LAMB's step is scaled by ‖w‖/‖u‖ of each tensor. */
static void reference(double *w, double *m, double *v, int step, heed_optimizer_name name) {
  heed_optimizer_config c = config_of(name);
  double norm = 0, t = step + 1;
  for (int64_t i = 0; i < TOTAL; i++)
    norm += gradient_at(step, i) * gradient_at(step, i);
  double clip = sqrt(norm) > c.clip_norm ? c.clip_norm / sqrt(norm) : 1;
  static double u[TOTAL];
  for (int64_t tensor = 0, i = 0; tensor < TENSORS; tensor++) {
    int64_t end = i + counts[tensor], begin = i;
    double decay = tensor == 1 ? 0 : c.weight_decay, w2 = 0, u2 = 0;
    for (; i < end; i++) {
      double g = gradient_at(step, i) * clip;
      m[i] = c.beta1 * m[i] + (1 - c.beta1) * g;
      v[i] = c.beta2 * v[i] + (1 - c.beta2) * g * g;
      u[i] = m[i] / (1 - pow(c.beta1, t)) / (sqrt(v[i] / (1 - pow(c.beta2, t))) + c.epsilon) + decay * w[i];
      w2 += w[i] * w[i];
      u2 += u[i] * u[i];
    }
    double trust = name == HEED_LAMB && w2 > 0 && u2 > 0 ? sqrt(w2 / u2) : 1;
    for (i = begin; i < end; i++)
      w[i] -= c.learning_rate * trust * u[i];
  }
}

static void follows_formula(heed_optimizer_name name) {
  heed_parameter_table table = make_table();
  heed_optimizer_config config = config_of(name);
  heed_optimizer *optimizer;
  static float w[TOTAL], g[TOTAL];
  static double w_d[TOTAL], m_d[TOTAL], v_d[TOTAL];
  CU_ASSERT_EQUAL_FATAL(heed_optimizer_create(&optimizer, &table, &config, heed_kernels_choose(NULL), heed_alone()), HEED_OK);
  const heed_masters masters = masters_of(optimizer, w);
  memset(m_d, 0, sizeof m_d);
  memset(v_d, 0, sizeof v_d);
  for (int64_t i = 0; i < TOTAL; i++)
    w_d[i] = w[i] = (float)cos((double)i);
  for (int step = 0; step < STEPS; step++) {
    for (int64_t i = 0; i < TOTAL; i++)
      g[i] = (float)(gradient_at(step, i) * 37); /* a sum over 37 targets */
    heed_optimizer_sum_finish(optimizer, g);
    heed_update update = heed_optimizer_update(optimizer, &masters, g, 37, config.learning_rate, step + 1);
    CU_ASSERT_FALSE(update.skipped);
    CU_ASSERT(update.gradient_norm > 1.2 && update.gradient_norm < 1.5); /* 0.02 · √(9103 / 2): clipping is at work */
    reference(w_d, m_d, v_d, step, name);
  }
  double worst = 0;
  for (int64_t i = 0; i < TOTAL; i++)
    worst = fmax(worst, fabs(w[i] - w_d[i]));
  CU_ASSERT(worst < 2e-5);
  heed_optimizer_free(optimizer);
  heed_parameters_free(&table);
}

static void adamw_follows_formula(void) {
  follows_formula(HEED_ADAMW);
}

static void lamb_follows_formula(void) {
  follows_formula(HEED_LAMB);
}

static void what_is_not_finite_changes_nothing(void) {
  heed_parameter_table table = make_table();
  heed_optimizer_config config = config_of(HEED_ADAMW);
  heed_optimizer *optimizer;
  static float w[TOTAL], before[TOTAL], g[TOTAL];
  CU_ASSERT_EQUAL_FATAL(heed_optimizer_create(&optimizer, &table, &config, heed_kernels_choose(NULL), heed_alone()), HEED_OK);
  for (int64_t i = 0; i < TOTAL; i++)
    before[i] = w[i] = (float)i;
  g[4321] = NAN;
  const heed_masters masters = masters_of(optimizer, w);
  heed_optimizer_sum_finish(optimizer, g);
  CU_ASSERT_TRUE(heed_optimizer_update(optimizer, &masters, g, 1, 0.1, 1).skipped);
  CU_ASSERT_EQUAL(memcmp(w, before, sizeof w), 0);
  CU_ASSERT_EQUAL(heed_optimizer_moment(optimizer, 0)[4321], 0);
  heed_optimizer_free(optimizer);
  heed_parameters_free(&table);
}

/* The second gradient of a tied tensor counts like the first. */
static void tied_gradients_are_added(void) {
  heed_parameter_table table = make_table();
  heed_optimizer_config config = config_of(HEED_ADAMW);
  heed_optimizer *optimizer;
  int64_t second;
  static float w[2][TOTAL], g[TOTAL + 4096];
  CU_ASSERT_EQUAL_FATAL(heed_parameters_tie(&table, 2, &second), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(second, TOTAL);
  for (int tied = 0; tied < 2; tied++) {
    CU_ASSERT_EQUAL_FATAL(heed_optimizer_create(&optimizer, &table, &config, heed_kernels_choose(NULL), heed_alone()), HEED_OK);
    memset(w[tied], 0, sizeof w[tied]);
    for (int64_t i = 0; i < TOTAL + 4096; i++)
      g[i] = 0;
    for (int64_t i = 0; i < 4096; i++) {
      g[5007 + i] = tied ? 0.25f * (float)i : (float)i;
      g[TOTAL + i] = tied ? 0.75f * (float)i : 0;
    }
    const heed_masters masters = masters_of(optimizer, w[tied]);
    heed_optimizer_sum_finish(optimizer, g);
    heed_optimizer_update(optimizer, &masters, g, 1, 0.1, 1);
    heed_optimizer_free(optimizer);
  }
  CU_ASSERT_EQUAL(memcmp(w[0], w[1], sizeof w[0]), 0);
  CU_ASSERT(w[0][TOTAL - 1] != 0);
  heed_parameters_free(&table);
}

HEED_TESTS({"AdamW follows its formula", adamw_follows_formula}, {"LAMB follows its formula", lamb_follows_formula},
           {"what is not finite changes nothing", what_is_not_finite_changes_nothing},
           {"tied gradients are added", tied_gradients_are_added})
