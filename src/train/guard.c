#include "train/guard.h"

#include <math.h>

/** A loss counts a fiftieth, those before forty-nine; before so many have been seen nothing is said of leaps. */
static const double SHARE = 1.0 / 50;
enum { LEAST_SEEN = 20 };

static bool leaps(const heed_guard *g, const heed_guard_config *config, double loss) {
  return config->spike > 0 && g->seen >= LEAST_SEEN && loss > g->mean + config->spike * sqrt(g->variance);
}

/* A leap counts as far as it was to be expected: one does not hide the next. */
static void take(heed_guard *g, const heed_guard_config *config, double loss, bool leapt) {
  const double share = g->seen < LEAST_SEEN ? 1.0 / (double)(g->seen + 1) : SHARE;
  const double apart = leapt ? config->spike * sqrt(g->variance) : loss - g->mean;
  g->mean += share * apart;
  g->variance = (1 - share) * (g->variance + share * apart * apart);
  g->seen++;
}

heed_step_verdict heed_guard_judge(heed_guard *g, const heed_guard_config *config, double loss, bool skipped) {
  if (skipped) {
    g->skipped++;
    if (config->skips == 0 || g->skipped < config->skips)
      return HEED_STEP_SKIPPED;
    g->skipped = 0;
    g->rollbacks++;
    return HEED_STEP_ROLLS_BACK;
  }
  const bool leapt = leaps(g, config, loss);
  g->skipped = g->rollbacks = 0;
  take(g, config, loss, leapt);
  return leapt ? HEED_STEP_LEAPT : HEED_STEP_GOOD;
}
