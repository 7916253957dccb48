/* What the guard says of rows of losses. */
#include "train/guard.h"

#include <math.h>

#include "test.h"

static const heed_guard_config config = {.skips = 3, .spike = 6};

static void rolls_back_after_skips_in_a_row(void) {
  heed_guard g = {0};
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, NAN, true), HEED_STEP_SKIPPED);
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, 5, true), HEED_STEP_SKIPPED); /* the gradient was not finite */
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, 5, false), HEED_STEP_GOOD);   /* no longer in a row */
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, NAN, true), HEED_STEP_SKIPPED);
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, NAN, true), HEED_STEP_SKIPPED);
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, NAN, true), HEED_STEP_ROLLS_BACK);
  CU_ASSERT_EQUAL(g.rollbacks, 1);
  for (int i = 0; i < 3; i++)
    CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, NAN, true), i < 2 ? HEED_STEP_SKIPPED : HEED_STEP_ROLLS_BACK);
  CU_ASSERT_EQUAL(g.rollbacks, 2);
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, 5, false), HEED_STEP_GOOD);
  CU_ASSERT_EQUAL(g.rollbacks, 0);
}

static void never_where_it_is_told_not_to(void) {
  const heed_guard_config none = {0};
  heed_guard g = {0};
  for (int i = 0; i < 100; i++)
    CU_ASSERT_EQUAL(heed_guard_judge(&g, &none, NAN, true), HEED_STEP_SKIPPED);
  for (int i = 0; i < 100; i++)
    CU_ASSERT_EQUAL(heed_guard_judge(&g, &none, i < 50 ? 1 : 1e9, false), HEED_STEP_GOOD);
}

/* A falling, noisy loss. */
static double usual(int step) {
  return 3 + 5 * exp(-step / 100.0) + 0.2 * sin(7.3 * step) + 0.1 * sin(2.9 * step);
}

static void leaps_are_told_from_noise(void) {
  heed_guard g = {0};
  for (int step = 0; step < 1000; step++) {
    const bool leap = step == 300 || step == 301 || step == 700;
    CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, usual(step) + (leap ? 6 : 0), false), leap ? HEED_STEP_LEAPT : HEED_STEP_GOOD);
  }
  CU_ASSERT(fabs(g.mean - 3) < 0.2 && g.variance < 0.1);
}

static void the_first_losses_are_no_leaps(void) {
  heed_guard g = {0};
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, 1, false), HEED_STEP_GOOD);
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, 1, false), HEED_STEP_GOOD);
  CU_ASSERT_EQUAL(heed_guard_judge(&g, &config, 50, false), HEED_STEP_GOOD);
}

HEED_TESTS({"rolls back after skips in a row", rolls_back_after_skips_in_a_row},
           {"never where it is told not to", never_where_it_is_told_not_to}, {"leaps are told from noise", leaps_are_told_from_noise},
           {"the first losses are no leaps", the_first_losses_are_no_leaps})
