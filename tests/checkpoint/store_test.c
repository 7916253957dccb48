/* The run folder: what it must be, who may have it, and what stays in it.
 * wrap: openat */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>

#include "fixture.h"

static const char *unreadable; /* a name that cannot be opened just now */

int __real_openat(int folder, const char *name, int flags, ...);
int __wrap_openat(int folder, const char *name, int flags, ...);

int __wrap_openat(int folder, const char *name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
  va_end(arguments);
  if (unreadable && strcmp(name, unreadable) == 0) {
    errno = ESTALE;
    return -1;
  }
  return __real_openat(folder, name, flags, mode);
}

static heed_status try_open(const char *path) {
  heed_checkpoint_store *store = NULL;
  heed_status status = heed_checkpoint_store_open(&store, path, 2, heed_alone());
  CU_ASSERT_EQUAL(store != NULL, status == HEED_OK);
  heed_checkpoint_store_close(store);
  return status;
}

static void folders_are_made_and_other_things_refused(void) {
  fixture f;
  fixture_open(&f);
  char path[128], link[128];
  snprintf(path, sizeof path, "%s/a/b/c/", f.folder);
  CU_ASSERT_EQUAL(try_open(path), HEED_OK);
  snprintf(link, sizeof link, "%s/link", f.folder);
  snprintf(path, sizeof path, "%s/a/b/c", f.folder);
  CU_ASSERT_EQUAL(symlink(path, link), 0);
  CU_ASSERT_EQUAL(try_open(link), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "symbolic link"));
  snprintf(path, sizeof path, "%s/link/", f.folder);
  CU_ASSERT_EQUAL(try_open(path), HEED_INVALID);
  snprintf(path, sizeof path, "%s/file", f.folder);
  file_write(path, "x", 1);
  CU_ASSERT_EQUAL(try_open(path), HEED_INVALID);
  snprintf(path, sizeof path, "%s/file/run", f.folder);
  CU_ASSERT_EQUAL(try_open(path), HEED_INVALID);
  snprintf(path, sizeof path, "%s/fifo", f.folder);
  CU_ASSERT_EQUAL(mkfifo(path, 0644), 0);
  CU_ASSERT_EQUAL(try_open(path), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "FIFO"));
  CU_ASSERT_EQUAL(try_open(""), HEED_INVALID);
  CU_ASSERT_EQUAL(try_open("/proc/heed-run"), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/proc/heed-run"));
  fixture_close(&f);
}

/* What stands where checkpoints/ or .lock belongs. */
static void strange_things_inside_are_refused(void) {
  static const char *const names[] = {"checkpoints", ".lock"};
  for (int which = 0; which < 2; which++)
    for (int kind = 0; kind < 3; kind++) {
      fixture f;
      fixture_open(&f);
      char path[160];
      CU_ASSERT_EQUAL(heed_folder_make(f.run), HEED_OK);
      snprintf(path, sizeof path, "%s/%s", f.run, names[which]);
      if (kind == 0)
        CU_ASSERT_EQUAL(symlink("/tmp", path), 0);
      if (kind == 1)
        CU_ASSERT_EQUAL(mkfifo(path, 0644), 0);
      if (kind == 2 && which == 0)
        file_write(path, "x", 1);
      if (kind == 2 && which == 1)
        CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
      CU_ASSERT_EQUAL(try_open(f.run), HEED_INVALID);
      fixture_close(&f);
    }
}

/* Root may write anywhere: as another user. */
static void open_unprivileged(const fixture *f, const void *unused) {
  (void)unused;
  if (getuid() == 0 && setuid(65534) != 0)
    _exit(77);
  heed_checkpoint_store *store;
  if (heed_checkpoint_store_open(&store, f->run, 2, heed_alone()) != HEED_IO || !strstr(heed_error_text(), f->run))
    _exit(1);
}

static void a_folder_that_cannot_be_written_is_told(void) {
  fixture f;
  fixture_open(&f);
  char path[160];
  CU_ASSERT_EQUAL(heed_folder_make(f.run), HEED_OK);
  CU_ASSERT_EQUAL(chmod(f.folder, 0755), 0);
  CU_ASSERT_EQUAL(chmod(f.run, 0555), 0);
  CU_ASSERT_EQUAL(in_child(open_unprivileged, &f, NULL), 0);
  CU_ASSERT_EQUAL(chmod(f.run, 0777), 0);
  snprintf(path, sizeof path, "%s/checkpoints", f.run);
  CU_ASSERT_EQUAL(mkdir(path, 0555), 0);
  CU_ASSERT_EQUAL(in_child(open_unprivileged, &f, NULL), 0);
  fixture_close(&f);
}

static void hold_the_lock(const fixture *f, const void *pipe_end) {
  fixture_store(f, 2);
  if (write(*(const int *)pipe_end, "x", 1) == 1)
    pause();
}

static void a_second_job_is_refused_until_the_first_is_dead(void) {
  fixture f;
  fixture_open(&f);
  int ends[2];
  char byte;
  CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    hold_the_lock(&f, &ends[1]);
    _exit(0);
  }
  CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);
  CU_ASSERT_EQUAL(try_open(f.run), HEED_INVALID);
  char process[32];
  snprintf(process, sizeof process, "process %ld", (long)child);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), process));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), f.run));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  CU_ASSERT_EQUAL(try_open(f.run), HEED_OK);
  close(ends[0]);
  close(ends[1]);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(try_open(f.run), HEED_INVALID); /* within one process too */
  heed_checkpoint_store_close(store);
  CU_ASSERT_EQUAL(try_open(f.run), HEED_OK);
  fixture_close(&f);
}

static void leftovers_are_swept_and_nothing_else(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 7.0), HEED_OK);
  heed_checkpoint_store_close(store);
  char path[256], outside[128];
  snprintf(outside, sizeof outside, "%s/outside", f.folder);
  CU_ASSERT_EQUAL(mkdir(outside, 0755), 0);
  static const char *const names[] = {"step-00000002.tmp-0123", ".trash-step-00000000-1", "notes.txt", "step-2"};
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s/checkpoints/%s", f.run, names[i]);
    CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/checkpoints/%s/state.h5", f.run, names[i]);
    file_write(path, "x", 1);
  }
  snprintf(path, sizeof path, "%s/checkpoints/.trash-link", f.run);
  CU_ASSERT_EQUAL(symlink(outside, path), 0);
  store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_count(&f, ""), 3);
  CU_ASSERT_EQUAL(access(outside, F_OK), 0);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

/* The steps that are there, as a set of bits. */
static unsigned steps_there(const fixture *f) {
  unsigned steps = 0;
  for (int64_t step = 0; step < 16; step++)
    steps |= (unsigned)(access(fixture_path(f, step, "MANIFEST"), F_OK) == 0) << step;
  return steps;
}

static void the_newest_and_the_best_stay(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 0); /* two at least */
  const double losses[] = {NAN, 9.0, 3.0, NAN, 5.0, 4.0, 3.0, 2.5, NAN};
  const unsigned expected[] = {1,
                               3,
                               1 << 1 | 1 << 2,
                               1 << 2 | 1 << 3,
                               1 << 2 | 1 << 3 | 1 << 4,
                               1 << 2 | 1 << 4 | 1 << 5,
                               1 << 5 | 1 << 6,
                               1 << 6 | 1 << 7,
                               1 << 7 | 1 << 8};
  for (int64_t step = 0; step < 9; step++) {
    CU_ASSERT_EQUAL(fixture_save(&f, store, step, losses[step]), HEED_OK);
    CU_ASSERT_EQUAL(steps_there(&f), expected[step]);
  }
  CU_ASSERT_EQUAL(fixture_count(&f, ""), 2);
  heed_checkpoint_store_close(store);
  store = fixture_store(&f, 3);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 9, 8.0), HEED_OK);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 10, 8.0), HEED_OK);
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

/* A damaged checkpoint takes no good one's place among those that stay. */
static void damaged_ones_do_not_count(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  for (int64_t step = 1; step <= 2; step++)
    CU_ASSERT_EQUAL(fixture_save(&f, store, step, NAN), HEED_OK);
  CU_ASSERT_EQUAL(truncate(fixture_path(&f, 2, "state.h5"), 100), 0);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 3, NAN), HEED_OK);
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 1 | 1 << 2 | 1 << 3);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 4, NAN), HEED_OK);
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 3 | 1 << 4);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

/* What is in memory is not lost for a folder that somebody removed. */
static void removed_folders_are_made_again(void) {
  static const char *const removed[] = {"runs/one/checkpoints", "runs/one", "runs"};
  for (int i = 0; i < 3; i++) {
    fixture f;
    char path[128];
    fixture_open(&f);
    heed_checkpoint_store *store = fixture_store(&f, 2);
    CU_ASSERT_EQUAL(fixture_save(&f, store, 1, NAN), HEED_OK);
    snprintf(path, sizeof path, "%s/%s", f.folder, removed[i]);
    CU_ASSERT_TRUE(heed_tree_remove(AT_FDCWD, path));
    CU_ASSERT_EQUAL(fixture_save(&f, store, 2, NAN), HEED_OK);
    CU_ASSERT_EQUAL(fixture_newest(&f, store), 2);
    CU_ASSERT_EQUAL(fixture_save(&f, store, 3, NAN), HEED_OK);
    CU_ASSERT_EQUAL(steps_there(&f), 1 << 2 | 1 << 3);
    pid_t other = fork();
    if (other == 0)
      _exit(try_open(f.run) == HEED_INVALID ? 0 : 1); /* the lock is held there too */
    int ended = -1;
    CU_ASSERT(waitpid(other, &ended, 0) == other && ended == 0);
    heed_checkpoint_store_close(store);
    fixture_close(&f);
  }
}

/* A job that takes the folder of a removed run keeps it to itself. */
static void a_removed_folder_may_be_anothers(void) {
  fixture f;
  int taken[2], done[2];
  char byte = 0;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, NAN), HEED_OK);
  CU_ASSERT_TRUE(heed_tree_remove(AT_FDCWD, f.run));
  CU_ASSERT_EQUAL_FATAL(pipe(taken) | pipe(done), 0);
  pid_t other = fork();
  if (other == 0) {
    heed_checkpoint_store *theirs = NULL;
    bool has = heed_checkpoint_store_open(&theirs, f.run, 2, heed_alone()) == HEED_OK && write(taken[1], "x", 1) == 1;
    _exit(has && read(done[0], &byte, 1) == 1 ? 0 : 1);
  }
  CU_ASSERT_EQUAL_FATAL(read(taken[0], &byte, 1), 1);
  for (int64_t step = 2; step <= 3; step++) {
    CU_ASSERT_EQUAL(fixture_save(&f, store, step, NAN), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "another job is using this run folder"));
  }
  CU_ASSERT_EQUAL(steps_there(&f), 0);
  int ended = -1;
  CU_ASSERT_TRUE(write(done[1], "x", 1) == 1 && waitpid(other, &ended, 0) == other && ended == 0);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 4, NAN), HEED_OK);
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 4);
  for (int i = 0; i < 2; i++)
    close(taken[i]), close(done[i]);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

static void flip_a_bit(const char *path, off_t at) {
  unsigned char byte;
  int file = open(path, O_RDWR);
  CU_ASSERT_EQUAL_FATAL(pread(file, &byte, 1, at), 1);
  byte ^= 4;
  CU_ASSERT_EQUAL(pwrite(file, &byte, 1, at), 1);
  close(file);
}

/* A bit that was found flipped when a run was resumed: no good one goes for it, though its size is right. */
static void damage_that_was_found_does_not_count(void) {
  fixture f;
  char *newest;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 2.0), HEED_OK);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 5, 1.0), HEED_OK);
  flip_a_bit(fixture_path(&f, 5, "state.h5"), 30000);
  CU_ASSERT_EQUAL(heed_checkpoint_newest(store, &newest), HEED_OK);
  CU_ASSERT_PTR_NOT_NULL_FATAL(newest);
  CU_ASSERT_PTR_NOT_NULL(strstr(newest, "step-00000001"));
  free(newest);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 3, NAN), HEED_OK);
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 1 | 1 << 3 | 1 << 5);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 4, NAN), HEED_OK); /* two good ones are newer than 1, which has the lowest loss of good ones */
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 5, 3.0), HEED_OK); /* good again */
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 1 | 1 << 4 | 1 << 5);
  flip_a_bit(fixture_path(&f, 4, "state.h5"), 30000);
  flip_a_bit(fixture_path(&f, 5, "state.h5"), 30000);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 6, NAN), HEED_OK);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 6); /* now 4 and 5 are not looked at, but still known */
  CU_ASSERT_EQUAL(fixture_save(&f, store, 7, NAN), HEED_OK);
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 1 | 1 << 6 | 1 << 7);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

/* One that cannot be opened just now is neither counted nor removed. */
static void what_cannot_be_read_stays(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 0.5), HEED_OK);
  unreadable = "step-00000001";
  for (int64_t step = 2; step <= 4; step++)
    CU_ASSERT_EQUAL(fixture_save(&f, store, step, 1.0), HEED_OK);
  unreadable = NULL;
  CU_ASSERT_EQUAL(steps_there(&f), 1 << 1 | 1 << 3 | 1 << 4);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

HEED_TESTS({"folders are made, other things refused", folders_are_made_and_other_things_refused},
           {"strange things inside are refused", strange_things_inside_are_refused},
           {"a folder that cannot be written is told", a_folder_that_cannot_be_written_is_told},
           {"a second job is refused until the first is dead", a_second_job_is_refused_until_the_first_is_dead},
           {"leftovers are swept, and nothing else", leftovers_are_swept_and_nothing_else},
           {"the newest and the best stay", the_newest_and_the_best_stay}, {"damaged ones do not count", damaged_ones_do_not_count},
           {"damage that was found does not count", damage_that_was_found_does_not_count},
           {"what cannot be read stays", what_cannot_be_read_stays}, {"removed folders are made again", removed_folders_are_made_again},
           {"a removed folder may be another's", a_removed_folder_may_be_anothers})
