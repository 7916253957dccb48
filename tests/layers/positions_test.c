/* Tables of positions against the formulas, and what makes them positions: turns keep lengths and tell distances only. */
#include "layers/positions.h"

#include <math.h>

#include "reference/numbers.h"
#include "test.h"

enum { POSITIONS = 700, HIDDEN = 48, HEADS = 3, WIDTH = HIDDEN / HEADS, COLUMNS = 9 };

/* An angle of some hundreds in double, its sine rounded to float. */
static const double bound = 1e-7;

static heed_model_config config_of(heed_positions positions) {
  return (heed_model_config){
      .hidden = HIDDEN, .heads = HEADS, .max_positions = POSITIONS, .positions = positions, .position_columns = COLUMNS};
}

static bool near(float got, double want) {
  return fabs((double)got - want) <= bound;
}

static void waves_interleave_sines_and_cosines(void) {
  heed_model_config config = config_of(HEED_POSITIONS_SINUSOIDAL);
  float *table = test_floats(POSITIONS * HIDDEN + 1);
  int64_t wrong = 0;
  table[POSITIONS * HIDDEN] = 42;
  heed_positions_waves(table, &config);
  for (int64_t p = 0; p < POSITIONS; p++)
    for (int64_t i = 0; i < HIDDEN / 2; i++) {
      double angle = (double)p / exp(2.0 * (double)i / HIDDEN * log(10000.0));
      wrong += !near(table[p * HIDDEN + 2 * i], sin(angle)) + !near(table[p * HIDDEN + 2 * i + 1], cos(angle));
    }
  CU_ASSERT_EQUAL(wrong, 0);
  CU_ASSERT_EQUAL(table[POSITIONS * HIDDEN], 42);
  CU_ASSERT_EQUAL(table[1], 1);                               /* place 0: sines 0, cosines 1 */
  CU_ASSERT_DOUBLE_EQUAL(table[HIDDEN], 0.8414709848, bound); /* sin 1 */
  test_release();
}

static void waves_of_a_grid_tell_column_and_row(void) {
  heed_model_config config = config_of(HEED_POSITIONS_SINUSOIDAL_2D);
  float *table = test_floats(POSITIONS * HIDDEN);
  int64_t wrong = 0, quarter = HIDDEN / 4;
  heed_positions_waves(table, &config);
  for (int64_t p = 0; p < POSITIONS; p++)
    for (int64_t i = 0; i < HIDDEN; i++) {
      double place = (double)(i < HIDDEN / 2 ? p % COLUMNS : p / COLUMNS);
      double angle = place / exp((double)(i % quarter) / (double)quarter * log(10000.0));
      wrong += !near(table[p * HIDDEN + i], i / quarter % 2 == 0 ? sin(angle) : cos(angle));
    }
  CU_ASSERT_EQUAL(wrong, 0);
  test_release();
}

/* Two places of a column have the first half alike, two of a row the second. */
static void a_grid_shares_columns_and_rows(void) {
  heed_model_config config = config_of(HEED_POSITIONS_SINUSOIDAL_2D);
  float *table = test_floats(POSITIONS * HIDDEN);
  const size_t half = HIDDEN / 2 * sizeof *table;
  heed_positions_waves(table, &config);
  const float *here = table + (4 * COLUMNS + 5) * HIDDEN, *below = here + COLUMNS * HIDDEN, *beside = here + HIDDEN;
  CU_ASSERT_EQUAL(memcmp(here, below, half), 0);
  CU_ASSERT(memcmp(here + HIDDEN / 2, below + HIDDEN / 2, half) != 0);
  CU_ASSERT_EQUAL(memcmp(here + HIDDEN / 2, beside + HIDDEN / 2, half), 0);
  CU_ASSERT(memcmp(here, beside, half) != 0);
  test_release();
}

static void turns_are_cosines_then_sines(void) {
  static const double thetas[] = {10000, 160000, 10};
  heed_model_config config = config_of(HEED_POSITIONS_ROTARY);
  for (int k = 0; k < 3; k++) {
    float *table = test_floats(POSITIONS * WIDTH + 1);
    int64_t wrong = 0;
    table[POSITIONS * WIDTH] = 42;
    heed_positions_turns(table, &config, thetas[k]);
    for (int64_t p = 0; p < POSITIONS; p++)
      for (int64_t i = 0; i < WIDTH / 2; i++) {
        double angle = (double)p / exp(2.0 * (double)i / WIDTH * log(thetas[k]));
        wrong += !near(table[p * WIDTH + i], cos(angle)) + !near(table[p * WIDTH + WIDTH / 2 + i], sin(angle));
      }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_EQUAL(table[POSITIONS * WIDTH], 42);
  }
  test_release();
}

/* One head of `x`, as if it stood at a place. */
static void turned(float *y, const float *x, const float *table, int32_t place, bool back) {
  memcpy(y, x, WIDTH * sizeof *y);
  heed_kernels_choose(NULL)->rotary(y, table, &place, 1, WIDTH, 1, WIDTH, back);
}

static double dot(const float *x, const float *y) {
  double sum = 0;
  for (int64_t i = 0; i < WIDTH; i++)
    sum += (double)x[i] * (double)y[i];
  return sum;
}

static void turns_keep_lengths_and_tell_distances(void) {
  heed_model_config config = config_of(HEED_POSITIONS_ROTARY);
  float *table = test_floats(POSITIONS * WIDTH), *q = test_random(WIDTH, 1, 1.0), *k = test_random(WIDTH, 2, 1.0);
  float *q_turned = test_floats(WIDTH), *k_turned = test_floats(WIDTH), *again = test_floats(WIDTH);
  const double few = 1e-5; /* of sixteen products of floats below 1 */
  heed_positions_turns(table, &config, 10000);
  for (int32_t distance = 0; distance < 40; distance += 13) {
    turned(q_turned, q, table, distance, false);
    double first = dot(q_turned, k); /* place 0 does not turn */
    for (int32_t place = 1; place + distance < POSITIONS; place += 97) {
      turned(q_turned, q, table, place + distance, false);
      turned(k_turned, k, table, place, false);
      CU_ASSERT_DOUBLE_EQUAL(dot(q_turned, q_turned), dot(q, q), few);
      CU_ASSERT_DOUBLE_EQUAL(dot(q_turned, k_turned), first, few);
      turned(again, q_turned, table, place + distance, true);
      CU_ASSERT(test_error(again, test_widen(q, WIDTH), WIDTH) < 1e-6);
    }
    turned(k_turned, k, table, 1, false); /* the test of the test: one place nearer is another score */
    turned(q_turned, q, table, distance, false);
    CU_ASSERT(fabs(dot(q_turned, k_turned) - first) > 100 * few);
  }
  test_release();
}

static void only_waves_are_added(void) {
  for (heed_positions p = HEED_POSITIONS_LEARNED; p <= HEED_POSITIONS_NONE; p++) {
    heed_model_config config = config_of(p);
    CU_ASSERT_EQUAL(heed_positions_are_waves(&config), p == HEED_POSITIONS_SINUSOIDAL || p == HEED_POSITIONS_SINUSOIDAL_2D);
  }
}

HEED_TESTS({"waves interleave sines and cosines", waves_interleave_sines_and_cosines},
           {"waves of a grid tell column and row", waves_of_a_grid_tell_column_and_row},
           {"a grid shares columns and rows", a_grid_shares_columns_and_rows},
           {"turns are cosines, then sines", turns_are_cosines_then_sines},
           {"turns keep lengths and tell distances", turns_keep_lengths_and_tell_distances}, {"only waves are added", only_waves_are_added})
