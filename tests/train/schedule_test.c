/* The learning rate against values worked out by hand, and against the formulas of Hugging Face's get_linear_schedule_with_warmup and
 * get_cosine_schedule_with_warmup (which take the update's number from 0; ours warms up with the number from 1, so that no update is lost
 * on a rate of 0). */
#include "train/schedule.h"

#include <math.h>

#include "test.h"

static const heed_optimizer_config optimizer = {.learning_rate = 8e-4};

static double rate(const heed_schedule_config *schedule, int64_t step, int64_t steps) {
  return heed_schedule_rate(schedule, &optimizer, step, steps);
}

static void is_near(double value, double expected) {
  CU_ASSERT_DOUBLE_EQUAL(value, expected, 1e-15);
}

static void warms_up_from_the_first_step(void) {
  for (int decay = HEED_LINEAR; decay <= HEED_STABLE; decay++) {
    heed_schedule_config schedule = {.warmup_steps = 4, .decay = (heed_decay)decay, .decay_steps = 4};
    is_near(rate(&schedule, 0, 20), 2e-4);
    is_near(rate(&schedule, 1, 20), 4e-4);
    is_near(rate(&schedule, 3, 20), 8e-4);
    is_near(rate(&schedule, 4, 20), 8e-4);
  }
}

static void linear_falls_evenly(void) {
  heed_schedule_config schedule = {.warmup_steps = 4, .decay = HEED_LINEAR};
  is_near(rate(&schedule, 8, 20), 6e-4);
  is_near(rate(&schedule, 12, 20), 4e-4);
  is_near(rate(&schedule, 19, 20), 0.5e-4);
  is_near(rate(&schedule, 20, 20), 0);
  schedule.final_fraction = 0.1;
  is_near(rate(&schedule, 12, 20), 8e-4 * 0.55);
  is_near(rate(&schedule, 20, 20), 8e-5);
}

static void cosine_falls_by_its_curve(void) {
  heed_schedule_config schedule = {.warmup_steps = 10, .decay = HEED_COSINE};
  is_near(rate(&schedule, 10, 40), 8e-4);
  is_near(rate(&schedule, 20, 40), 8e-4 * 0.75); /* cos 60° = ½ */
  is_near(rate(&schedule, 25, 40), 4e-4);
  is_near(rate(&schedule, 30, 40), 8e-4 * 0.25);
  is_near(rate(&schedule, 40, 40), 0);
  schedule.final_fraction = 0.2;
  is_near(rate(&schedule, 25, 40), 8e-4 * 0.6);
  is_near(rate(&schedule, 40, 40), 8e-4 * 0.2);
}

static void constant_stays(void) {
  heed_schedule_config schedule = {.warmup_steps = 2, .decay = HEED_CONSTANT, .final_fraction = 0.1};
  is_near(rate(&schedule, 2, 10), 8e-4);
  is_near(rate(&schedule, 9, 10), 8e-4);
}

static void stable_falls_at_the_end(void) {
  heed_schedule_config schedule = {.warmup_steps = 10, .decay = HEED_STABLE, .decay_steps = 20, .final_fraction = 0.5};
  is_near(rate(&schedule, 10, 100), 8e-4);
  is_near(rate(&schedule, 79, 100), 8e-4);
  is_near(rate(&schedule, 80, 100), 8e-4);
  is_near(rate(&schedule, 90, 100), 6e-4);
  is_near(rate(&schedule, 100, 100), 4e-4);
}

/* lambda of Hugging Face: step / w below w, else max(0, (steps − step) / (steps − w)), or ½ (1 + cos(π · progress)). */
static void agrees_with_hugging_face(void) {
  const int64_t warmup = 7, steps = 53;
  heed_schedule_config linear = {.warmup_steps = warmup, .decay = HEED_LINEAR}, cosine = {.warmup_steps = warmup, .decay = HEED_COSINE};
  for (int64_t step = 0; step < steps; step++) {
    double progress = (double)(step - warmup) / (double)(steps - warmup);
    if (step < warmup) {
      is_near(rate(&linear, step, steps), 8e-4 * (double)(step + 1) / (double)warmup);
      is_near(rate(&cosine, step, steps), 8e-4 * (double)(step + 1) / (double)warmup);
    } else {
      is_near(rate(&linear, step, steps), 8e-4 * fmax(0, (double)(steps - step) / (double)(steps - warmup)));
      is_near(rate(&cosine, step, steps), 8e-4 * fmax(0, 0.5 * (1 + cos(acos(-1.0) * progress))));
    }
  }
}

/* A resume may change train.steps, so a run may stand behind its end, and short runs may be all warm-up. */
static void odd_lengths_stay_sound(void) {
  for (int decay = HEED_LINEAR; decay <= HEED_STABLE; decay++) {
    heed_schedule_config none = {.decay = (heed_decay)decay}, longer = {.warmup_steps = 50, .decay = (heed_decay)decay, .decay_steps = 90};
    is_near(rate(&none, 0, 1), 8e-4);
    is_near(rate(&longer, 19, 20), 8e-4 * 20 / 50);
    CU_ASSERT(rate(&longer, 60, 60) >= 0 && rate(&longer, 60, 60) <= 8e-4);
    CU_ASSERT(rate(&longer, 99, 60) >= 0 && rate(&longer, 99, 60) <= 8e-4);
    CU_ASSERT(isfinite(rate(&none, 0, 0)));
  }
}

HEED_TESTS({"warms up from the first step", warms_up_from_the_first_step}, {"linear falls evenly", linear_falls_evenly},
           {"cosine falls by its curve", cosine_falls_by_its_curve}, {"constant stays", constant_stays},
           {"stable falls at the end", stable_falls_at_the_end}, {"agrees with Hugging Face", agrees_with_hugging_face},
           {"odd lengths stay sound", odd_lengths_stay_sound})
