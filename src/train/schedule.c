#include "train/schedule.h"

#include <math.h>

static double fraction(double done, double of) {
  return of <= 0 ? 0 : done < 0 ? 0 : done > of ? 1 : done / of;
}

double heed_schedule_rate(const heed_schedule_config *schedule, const heed_optimizer_config *optimizer, int64_t step, int64_t steps) {
  double highest = optimizer->learning_rate, final = schedule->final_fraction;
  if (step < schedule->warmup_steps)
    return highest * (double)(step + 1) / (double)schedule->warmup_steps;
  double x = fraction((double)(step - schedule->warmup_steps), (double)(steps - schedule->warmup_steps));
  switch (schedule->decay) {
  case HEED_LINEAR:
    return highest * (1 - (1 - final) * x);
  case HEED_COSINE:
    return highest * (final + (1 - final) * 0.5 * (1 + cos(3.141592653589793 * x)));
  case HEED_STABLE:
    return highest * (1 - (1 - final) * fraction((double)(step - (steps - schedule->decay_steps)), (double)schedule->decay_steps));
  case HEED_CONSTANT:
    break;
  }
  return highest;
}
