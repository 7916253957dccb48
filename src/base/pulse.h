/** The pulse: what this process is doing and that it goes on, for the watchdog (comm/watchdog.h).
 *
 *  One thread, the one that runs the job, enters phases and beats within them; any thread may read.  A move costs two atomic stores: no
 *  lock, no memory, nothing that a step would notice.  Threads beside it that run the same code say so, and then move nothing. */
#ifndef HEED_BASE_PULSE_H
#define HEED_BASE_PULSE_H

#include <stdbool.h>
#include <stdint.h>

/** What a job does, in about the order of a run. */
typedef enum heed_phase {
  HEED_PHASE_STARTING,
  HEED_PHASE_OPENING_DATA,
  HEED_PHASE_BUILDING,
  HEED_PHASE_OPENING_RUN,
  HEED_PHASE_LOADING,
  HEED_PHASE_READING_BATCH,
  HEED_PHASE_FORWARD,
  HEED_PHASE_BACKWARD,
  HEED_PHASE_SUMMING,
  HEED_PHASE_UPDATING,
  HEED_PHASE_COPYING,
  HEED_PHASE_LOGGING,
  HEED_PHASE_EVALUATING,
  HEED_PHASE_SAVING,
  HEED_PHASE_SYNCING,
  HEED_PHASE_READING_BACK,
  HEED_PHASE_PUBLISHING,
  HEED_PHASE_ENDING,
  HEED_PHASE_COUNT
} heed_phase;

/** A phase in words: "backward", "saving: syncing".  "?" for what is none. */
const char *heed_phase_text(int phase);

/** Whether a phase waits for files or for memory by the gigabyte, so that minutes without a beat are no wonder. */
bool heed_phase_is_patient(int phase);

/** What a process was last seen doing. */
typedef struct heed_pulse {
  uint64_t beats; /**< grows with each move; begins at 0 */
  int64_t step;   /**< the step under way, from 1; 0 before the first */
  int phase;      /**< a heed_phase */
  bool waiting;   /**< for other ranks, within the phase */
} heed_pulse;

/** Another phase begins.  This thread does not wait for others. */
void heed_pulse_enter(heed_phase phase);

/** The phase goes on. */
void heed_pulse_beat(void);

/** From now on what the calling thread enters, beats and waits for moves nothing of this: it does not run the job.  It is counted by
 * itself, for who waits for that thread. */
void heed_pulse_stand_aside(void);
uint64_t heed_pulse_beats_aside(void);

/** Begins or ends to wait for other ranks, and returns whether it did before:
 *  `const bool before = heed_pulse_wait(true); …; heed_pulse_wait(before);` */
bool heed_pulse_wait(bool waiting);

/** A step begins, numbered from 1.  The time between two of them that follow each other is that of a step. */
void heed_pulse_step(int64_t step);

heed_pulse heed_pulse_read(void);

/** The median time of the last 15 steps, in seconds; 0 until two have begun. */
double heed_pulse_median_step(void);

#endif
