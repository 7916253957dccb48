#include "base/pulse.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "test.h"

static void tells_what_was_entered(void) {
  const heed_pulse before = heed_pulse_read();
  CU_ASSERT_EQUAL(before.phase, HEED_PHASE_STARTING);
  heed_pulse_enter(HEED_PHASE_BACKWARD);
  heed_pulse_beat();
  const heed_pulse after = heed_pulse_read();
  CU_ASSERT_EQUAL(after.beats, before.beats + 2);
  CU_ASSERT_EQUAL(after.phase, HEED_PHASE_BACKWARD);
  CU_ASSERT_FALSE(after.waiting);
}

static void waits_nest(void) {
  heed_pulse_enter(HEED_PHASE_SAVING);
  const bool outer = heed_pulse_wait(true);
  CU_ASSERT_FALSE(outer);
  const bool inner = heed_pulse_wait(true);
  CU_ASSERT_TRUE(inner);
  heed_pulse_wait(inner);
  CU_ASSERT_TRUE(heed_pulse_read().waiting);
  heed_pulse_wait(outer);
  CU_ASSERT_FALSE(heed_pulse_read().waiting);
  CU_ASSERT_EQUAL(heed_pulse_read().phase, HEED_PHASE_SAVING);
  heed_pulse_wait(true);
  heed_pulse_enter(HEED_PHASE_SYNCING);
  CU_ASSERT_FALSE(heed_pulse_read().waiting);
}

/* Steps of 1 ms, one of 40 among them: a median is none of its outliers. */
static void knows_the_median_step(void) {
  CU_ASSERT_EQUAL(heed_pulse_median_step(), 0);
  for (int64_t step = 1; step <= 20; step++) {
    heed_pulse_step(step);
    nanosleep(&(struct timespec){.tv_nsec = step == 18 ? 40000000 : 1000000}, NULL);
  }
  CU_ASSERT_EQUAL(heed_pulse_read().step, 20);
  const double median = heed_pulse_median_step();
  CU_ASSERT(median >= 0.001 && median < 0.03);
  heed_pulse_step(100); /* does not follow: no step of these */
  CU_ASSERT_EQUAL(heed_pulse_median_step(), median);
}

static void each_phase_has_a_text(void) {
  for (int phase = 0; phase < HEED_PHASE_COUNT; phase++)
    CU_ASSERT(strlen(heed_phase_text(phase)) > 3);
  CU_ASSERT_STRING_EQUAL(heed_phase_text(HEED_PHASE_COUNT), "?");
  CU_ASSERT_STRING_EQUAL(heed_phase_text(-1), "?");
  CU_ASSERT_FALSE(heed_phase_is_patient(1000));
  CU_ASSERT_TRUE(heed_phase_is_patient(HEED_PHASE_SYNCING));
  CU_ASSERT_FALSE(heed_phase_is_patient(HEED_PHASE_FORWARD));
}

enum { MOVES = 200000 };

static void *moves(void *unused) {
  for (int i = 0; i < MOVES; i++)
    heed_pulse_enter(i % 2 ? HEED_PHASE_FORWARD : HEED_PHASE_BACKWARD);
  return unused;
}

/* A reader beside the one that moves sees only what was, and never less than before. */
static void another_thread_reads(void) {
  pthread_t thread;
  heed_pulse_enter(HEED_PHASE_FORWARD);
  uint64_t last = heed_pulse_read().beats;
  const uint64_t end = last + MOVES;
  CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, moves, NULL), 0);
  int wrong = 0;
  while (last < end) {
    const heed_pulse pulse = heed_pulse_read();
    wrong += pulse.beats < last || pulse.beats > end || (pulse.phase != HEED_PHASE_FORWARD && pulse.phase != HEED_PHASE_BACKWARD);
    last = pulse.beats;
  }
  pthread_join(thread, NULL);
  CU_ASSERT_EQUAL(wrong, 0);
}

HEED_TESTS({"tells what was entered", tells_what_was_entered}, {"waits nest", waits_nest}, {"knows the median step", knows_the_median_step},
           {"each phase has a text", each_phase_has_a_text}, {"another thread reads", another_thread_reads})
