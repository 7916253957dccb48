#include "base/pulse.h"

#include <stdatomic.h>

#include "base/clock.h"

enum { STEPS = 15 };

static const struct {
  const char *text;
  bool patient;
} phases[HEED_PHASE_COUNT] = {
    [HEED_PHASE_STARTING] = {"starting", true},
    [HEED_PHASE_OPENING_DATA] = {"opening data", true},
    [HEED_PHASE_BUILDING] = {"building the model", true},
    [HEED_PHASE_OPENING_RUN] = {"opening the run folder", true},
    [HEED_PHASE_LOADING] = {"loading a checkpoint", true},
    [HEED_PHASE_READING_BATCH] = {"reading a batch", true},
    [HEED_PHASE_FORWARD] = {"forward", false},
    [HEED_PHASE_BACKWARD] = {"backward", false},
    [HEED_PHASE_SUMMING] = {"summing gradients", false},
    [HEED_PHASE_UPDATING] = {"updating", false},
    [HEED_PHASE_COPYING] = {"copying parameters", false},
    [HEED_PHASE_LOGGING] = {"writing logs", true},
    [HEED_PHASE_EVALUATING] = {"evaluating", false},
    [HEED_PHASE_SAVING] = {"saving: streaming", true},
    [HEED_PHASE_SYNCING] = {"saving: syncing", true},
    [HEED_PHASE_READING_BACK] = {"saving: reading back", true},
    [HEED_PHASE_PUBLISHING] = {"saving: publishing", true},
    [HEED_PHASE_ENDING] = {"ending", true},
};

/* beats · 2⁸ + phase · 2 + waiting: read as one, so that what is told belongs together. */
static _Atomic uint64_t now;
static _Atomic int64_t step_now;
static _Atomic uint64_t step_nanoseconds[STEPS];
static _Atomic unsigned steps_timed;

_Static_assert(HEED_PHASE_COUNT <= 128, "a phase has seven bits");

static bool is_phase(int phase) {
  return phase >= 0 && phase < HEED_PHASE_COUNT;
}

const char *heed_phase_text(int phase) {
  return is_phase(phase) ? phases[phase].text : "?";
}

bool heed_phase_is_patient(int phase) {
  return is_phase(phase) && phases[phase].patient;
}

static _Thread_local bool aside;
static _Atomic uint64_t beats_aside;

void heed_pulse_stand_aside(void) {
  aside = true;
}

uint64_t heed_pulse_beats_aside(void) {
  return atomic_load_explicit(&beats_aside, memory_order_relaxed);
}

/* One thread writes: what it read is still there when it stores. */
static void move(uint64_t what) {
  if (aside) {
    atomic_fetch_add_explicit(&beats_aside, 1, memory_order_relaxed);
    return;
  }
  const uint64_t beats = atomic_load_explicit(&now, memory_order_relaxed) >> 8;
  atomic_store_explicit(&now, (beats + 1) << 8 | what, memory_order_relaxed);
}

void heed_pulse_enter(heed_phase phase) {
  move((uint64_t)phase << 1);
}

void heed_pulse_beat(void) {
  move(atomic_load_explicit(&now, memory_order_relaxed) & 0xFF);
}

bool heed_pulse_wait(bool waiting) {
  const uint64_t what = atomic_load_explicit(&now, memory_order_relaxed) & 0xFF;
  move((what & 0xFE) | waiting);
  return what & 1;
}

void heed_pulse_step(int64_t step) {
  static double begun;
  const double seconds = heed_seconds();
  if (step == atomic_load_explicit(&step_now, memory_order_relaxed) + 1 && step > 1 && begun > 0) {
    const unsigned timed = atomic_load_explicit(&steps_timed, memory_order_relaxed);
    atomic_store_explicit(&step_nanoseconds[timed % STEPS], (uint64_t)(1e9 * (seconds - begun)), memory_order_relaxed);
    atomic_store_explicit(&steps_timed, timed + 1, memory_order_release);
  }
  begun = seconds;
  atomic_store_explicit(&step_now, step, memory_order_relaxed);
  heed_pulse_beat();
}

heed_pulse heed_pulse_read(void) {
  const uint64_t word = atomic_load_explicit(&now, memory_order_relaxed);
  return (heed_pulse){.beats = word >> 8,
                      .step = atomic_load_explicit(&step_now, memory_order_relaxed),
                      .phase = (int)(word >> 1 & 0x7F),
                      .waiting = word & 1};
}

double heed_pulse_median_step(void) {
  const unsigned timed = atomic_load_explicit(&steps_timed, memory_order_acquire), count = timed < STEPS ? timed : STEPS;
  uint64_t sorted[STEPS];
  for (unsigned i = 0; i < count; i++) {
    const uint64_t value = atomic_load_explicit(&step_nanoseconds[i], memory_order_relaxed);
    unsigned at = i;
    for (; at > 0 && sorted[at - 1] > value; at--)
      sorted[at] = sorted[at - 1];
    sorted[at] = value;
  }
  return count > 0 ? 1e-9 * (double)sorted[count / 2] : 0;
}
