/* What befalls the ranks of a run from outside: stopped, hung, killed, signalled, their data cut short.  Whatever it is, the run goes on
 * to the same bits or ends soon, with one message and no process left. */
#include <stdbool.h>

#include "command.h"
#include "test.h"
#include "train/micro.h"

/* Runs these lines of long_run.sh's; what they print is in command_output. */
__attribute__((format(printf, 1, 2))) static void script(const char *format, ...) {
  char lines[2048];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(lines, sizeof lines, format, arguments);
  va_end(arguments);
  command_run("cd %s && HEED=" HEED_PROGRAM " MPIEXEC=" HEED_MPIEXEC " bash -c 'export HEED MPIEXEC FAULT; . " HEED_SOURCE
              "/tests/train/long_run.sh; %s'",
              folder, lines);
}

static bool says(const char *words) {
  if (strstr(command_output, words))
    return true;
  printf("\n\"%s\" is not in:\n%s\n", words, command_output);
  return false;
}

/* How often the last run said this. */
static int times(const char *words) {
  int count = 0;
  for (const char *at = command_output; (at = strstr(at, words)); at += strlen(words))
    count++;
  return count;
}

/* Ended with this code within so many seconds, nothing left. */
static bool ended(int code, int seconds) {
  int got = -1, after = -1;
  const char *line = strstr(command_output, "exit ");
  const bool right =
      line && sscanf(line, "exit %d after %d s", &got, &after) == 2 && got == code && after <= seconds && strstr(command_output, "left: 0");
  if (!right)
    printf("\nnot exit %d within %d s and nothing left:\n%s\n", code, seconds, command_output);
  return right;
}

static void a_stop_of_seconds_is_survived(void) {
  static char alone[65536], stopped[65536];
  script("start alone 0 --set train.steps=400; ended 100");
  CU_ASSERT(ended(0, 100));
  tensors_of("alone", 400, alone, sizeof alone);
  script(
      "export HEED_WATCHDOG=30; start paused 2 --set train.steps=400; id=$(rank 1); kill -STOP $id; sleep 5.5; kill -CONT $id; ended 100");
  CU_ASSERT(ended(0, 100));
  CU_ASSERT(says("warning: nothing has moved for "));
  CU_ASSERT(says(": rank 1 ("));
  CU_ASSERT_EQUAL(times("warning: "), 1);
  tensors_of("paused", 400, stopped, sizeof stopped);
  CU_ASSERT_STRING_EQUAL(alone, stopped);
}

static void a_stopped_rank_is_named(void) {
  script("export HEED_WATCHDOG=2; start stopped 4; kill -STOP $(rank 2); ended 15");
  CU_ASSERT(ended(124, 10));
  CU_ASSERT(says(": rank 2 ("));
  CU_ASSERT(says(") is silent for "));
  CU_ASSERT(says("last seen in: "));
  CU_ASSERT_EQUAL(times("error: "), 1);
}

static void a_stopped_rank_0_is_named_by_others(void) {
  script("export HEED_WATCHDOG=2; start headless 4; kill -STOP $(rank 0); ended 15");
  CU_ASSERT(ended(124, 10));
  CU_ASSERT(says(": rank 0 ("));
  CU_ASSERT(says(") is silent for "));
  CU_ASSERT(times("error: ") >= 1); /* two may find it at the same time */
}

static void a_hung_rank_is_named(void) {
  script("export HEED_WATCHDOG=2; FAULT=1:step.forward:30:hang; start hung 2; ended 15");
  CU_ASSERT(ended(124, 10));
  CU_ASSERT(says(": rank 1 ("));
  CU_ASSERT(says(") is in: forward, step 30; the others wait"));
  CU_ASSERT_EQUAL(times("error: "), 1);
}

static void a_process_alone_watches_itself(void) {
  script("export HEED_WATCHDOG=1; FAULT=0:step.forward:30:hang; start lonely 0; ended 15");
  CU_ASSERT(ended(124, 10));
  CU_ASSERT(says("this process is in: forward, step 30"));
}

/* Ten times the limit, for a disk; and without a watchdog, for ever. */
static void saves_have_time(void) {
  script("export HEED_WATCHDOG=0.4; FAULT=0:save.sync:1:hang; start slow 2 --set checkpoint.every_steps=50 --set "
         "checkpoint.background=false; ended 20");
  CU_ASSERT(ended(124, 20));
  CU_ASSERT(says("nothing has moved for 4 s: rank 0 ("));
  CU_ASSERT(says("saving: syncing, step 50"));
  script("export HEED_WATCHDOG=0; FAULT=1:step.forward:30:hang; start endless 2; ended 4");
  CU_ASSERT(says("still there after 4 s"));
}

static void a_failure_of_one_rank_alone_ends_all(void) {
  script("FAULT=1:step.forward:30:error; start failed 4; ended 15");
  CU_ASSERT(ended(74, 10));
  CU_ASSERT_EQUAL(times("error: rank 1: failpoint step.forward"), 1);
  script("start killed 4; kill -KILL $(rank 1); ended 15");
  CU_ASSERT(ended(128 + 9, 10));
}

static void a_killed_launcher_leaves_nothing(void) {
  script("start orphans 4; kill -KILL $(launcher); ended 1 killed");
  CU_ASSERT(ended(128 + 9, 10));
}

static void an_interrupt_saves_and_a_second_one_does_not(void) {
  script("start once 2; kill -INT $(rank 0); ended 15");
  CU_ASSERT(ended(75, 10));
  CU_ASSERT_EQUAL(times("once more stops at once"), 1);
  CU_ASSERT(command_ended(command_run("test -s %s/once/checkpoints/step-*/MANIFEST", folder), 0));
  script("start twice 4; id=$(rank 1); kill -STOP $(rank 0); kill -INT $id; sleep 0.3; kill -INT $id; ended 15"); /* it waits for rank 0 */
  CU_ASSERT(ended(130, 10));
  CU_ASSERT(command_ended(command_run("ls %s/twice/checkpoints | wc -l", folder), 0));
  CU_ASSERT_EQUAL(atoi(command_output), 0);
}

/* Saves follow each other here, so that most signals come during one. */
static void one_rank_asked_is_all_asked(void) {
  script("start asked 4 --set checkpoint.every_steps=1; kill -USR1 $(rank 2); ended 15");
  CU_ASSERT(ended(75, 10));
  CU_ASSERT_EQUAL(times("stopped at step"), 1);
  script("start asked 4 --resume --set train.steps=2; ended 15");
  CU_ASSERT(ended(0, 15));
}

static void data_cut_short_is_named(void) {
  script("cp train.h5 cut.h5; start cut 2 --set data.train=cut.h5; truncate -s 6000 cut.h5; ended 15");
  CU_ASSERT(ended(74, 10));
  CU_ASSERT_EQUAL(times("cut.h5: a part of it can no longer be read") + times("cut.h5: it was written to while in use"), 1);
}

HEED_TESTS({"prepares data", prepares}, {"a stop of seconds is survived", a_stop_of_seconds_is_survived},
           {"a stopped rank is named", a_stopped_rank_is_named},
           {"a stopped rank 0 is named by others", a_stopped_rank_0_is_named_by_others}, {"a hung rank is named", a_hung_rank_is_named},
           {"a process alone watches itself", a_process_alone_watches_itself}, {"saves have time", saves_have_time},
           {"a failure of one rank alone ends all", a_failure_of_one_rank_alone_ends_all},
           {"a killed launcher leaves nothing", a_killed_launcher_leaves_nothing},
           {"an interrupt saves, and a second one does not", an_interrupt_saves_and_a_second_one_does_not},
           {"one rank asked is all asked", one_rank_asked_is_all_asked}, {"data cut short is named", data_cut_short_is_named},
           {"cleans up", cleans_up})
