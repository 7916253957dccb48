/* The lock for file systems without locks. */
#include "checkpoint/heartbeat.h"

#include <signal.h>
#include <time.h>

#include "fixture.h"

static const double PERIOD = 0.1;

static void pause_for(double seconds) {
  nanosleep(&(struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))}, NULL);
}

static int run_folder(const fixture *f) {
  int folder = -1;
  CU_ASSERT_EQUAL_FATAL(heed_folder_open(AT_FDCWD, f->folder, f->folder, false, &folder), HEED_OK);
  return folder;
}

static void a_live_holder_is_respected_and_a_dead_one_replaced(void) {
  fixture f;
  fixture_open(&f);
  int folder = run_folder(&f);
  int ends[2];
  char byte;
  CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    heed_heartbeat *held;
    if (heed_heartbeat_take(&held, folder, f.folder, PERIOD) == HEED_OK && write(ends[1], "x", 1) == 1)
      pause();
    _exit(1);
  }
  CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
  heed_heartbeat *mine = NULL;
  CU_ASSERT_EQUAL(heed_heartbeat_take(&mine, folder, f.folder, PERIOD), HEED_INVALID);
  char process[32];
  snprintf(process, sizeof process, "process %ld", (long)child);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), process));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  CU_ASSERT_EQUAL(heed_heartbeat_take(&mine, folder, f.folder, PERIOD), HEED_OK);
  pause_for(5 * PERIOD);
  CU_ASSERT_FALSE(heed_heartbeat_is_lost(mine));
  heed_heartbeat_release(mine);
  CU_ASSERT_EQUAL(faccessat(folder, HEED_HEARTBEAT_FILE, F_OK, 0), -1);
  close(folder);
  close(ends[0]);
  close(ends[1]);
  fixture_close(&f);
}

/* A holder that stood still for too long finds that it has been replaced, and leaves the other's file alone. */
static void a_stopped_holder_notices(void) {
  fixture f;
  fixture_open(&f);
  int folder = run_folder(&f);
  heed_heartbeat *mine;
  CU_ASSERT_EQUAL_FATAL(heed_heartbeat_take(&mine, folder, f.folder, PERIOD), HEED_OK);
  char path[128], other[128];
  snprintf(other, sizeof other, "%s/other", f.folder);
  snprintf(path, sizeof path, "%s/" HEED_HEARTBEAT_FILE, f.folder);
  /* What cannot be read whole just now is nobody's: a file system across the network has such moments. */
  file_write(other, "host far process 1 token 0000000000000000 beat 3", 48);
  CU_ASSERT_EQUAL(rename(other, path), 0);
  pause_for(5 * PERIOD);
  CU_ASSERT_EQUAL(unlink(path), 0);
  pause_for(5 * PERIOD);
  CU_ASSERT_FALSE(heed_heartbeat_is_lost(mine));
  char beat[161];
  snprintf(beat, sizeof beat, "%-159s\n", "host far process 1 token 0000000000000000 beat 3");
  file_write(other, beat, 160);
  CU_ASSERT_EQUAL(rename(other, path), 0);
  for (int i = 0; i < 100 && !heed_heartbeat_is_lost(mine); i++)
    pause_for(PERIOD);
  CU_ASSERT_TRUE(heed_heartbeat_is_lost(mine));
  heed_heartbeat_release(mine);
  CU_ASSERT_EQUAL(access(path, F_OK), 0);
  close(folder);
  fixture_close(&f);
}

HEED_TESTS({"a live holder is respected, a dead one replaced", a_live_holder_is_respected_and_a_dead_one_replaced},
           {"a stopped holder notices", a_stopped_holder_notices})
