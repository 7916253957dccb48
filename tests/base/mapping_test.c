#include "base/mapping.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { BYTES = 1 << 16 };
static char output[4096];

/* A file without a name, filled with x, mapped. */
static const char *mapped(int *file, const char *shown) {
  char path[] = "/tmp/heed-mapping-XXXXXX", block[BYTES];
  const void *data = NULL;
  memset(block, 'x', sizeof block);
  *file = mkstemp(path);
  CU_ASSERT_FATAL(*file >= 0 && write(*file, block, sizeof block) == BYTES);
  unlink(path);
  CU_ASSERT_EQUAL_FATAL(heed_mapping_open(&data, *file, BYTES, shown), HEED_OK);
  return data;
}

/* Exit status of a child that reads this byte; what it said on standard error is in `output`. */
static int read_in_child(const volatile char *byte, bool guarded) {
  int ends[2], status = -1;
  CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDERR_FILENO);
    signal(SIGBUS, SIG_DFL); /* a sanitizer's */
    if (guarded)
      heed_mapping_guard();
    _exit(*byte == 'x' ? 0 : 1);
  }
  close(ends[1]);
  const ssize_t bytes = read(ends[0], output, sizeof output - 1);
  output[bytes > 0 ? bytes : 0] = 0;
  close(ends[0]);
  waitpid(child, &status, 0);
  return status;
}

static void a_file_cut_short_is_named(void) {
  int files[3];
  const char *first = mapped(&files[0], "first.h5"), *second = mapped(&files[1], "second.h5"), *third = mapped(&files[2], "third.h5");
  CU_ASSERT_EQUAL(ftruncate(files[1], 100), 0);
  CU_ASSERT_EQUAL(read_in_child(first + BYTES - 1, true), 0);
  CU_ASSERT_EQUAL(read_in_child(third + BYTES - 1, true), 0);
  int status = read_in_child(second + BYTES - 1, true);
  CU_ASSERT(WIFEXITED(status) && WEXITSTATUS(status) == HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(output, "error: second.h5: "));
  status = read_in_child(second + BYTES - 1, false);
  CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
  heed_mapping_close(second);
  heed_mapping_close(second); /* is none any more */
  heed_mapping_close(NULL);
  CU_ASSERT_EQUAL(read_in_child(first, true), 0);
  heed_mapping_close(first);
  heed_mapping_close(third);
  for (int i = 0; i < 3; i++)
    close(files[i]);
}

/* Memory that is no file of ours: the fault stays what it is. */
static void other_faults_are_left_alone(void) {
  int file;
  const char *ours = mapped(&file, "ours.h5");
  const char *other = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, file, 0);
  CU_ASSERT_PTR_NOT_EQUAL_FATAL(other, MAP_FAILED);
  heed_mapping_close(ours);
  CU_ASSERT_EQUAL(ftruncate(file, 0), 0);
  const int status = read_in_child(other, true);
  CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
  CU_ASSERT_STRING_EQUAL(output, "");
  munmap((void *)other, BYTES);
  close(file);
}

/* A file that is written to, in its size, or only in its bytes; and one whose name another file has taken. */
static void what_is_written_to_is_seen(void) {
  static const char text[] = "0123456789";
  const struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
  char path[] = "/tmp/heed-mapping-XXXXXX", moved[64];
  const void *data;
  const int file = mkstemp(path);
  snprintf(moved, sizeof moved, "%s.moved", path);
  CU_ASSERT_FATAL(file >= 0 && write(file, text, 10) == 10 && futimens(file, old) == 0);
  for (int longer = 0; longer <= 1; longer++) {
    CU_ASSERT_EQUAL(futimens(file, old), 0);
    CU_ASSERT_EQUAL_FATAL(heed_mapping_open(&data, file, 10, path), HEED_OK);
    CU_ASSERT_FALSE(heed_mapping_was_written(data));
    CU_ASSERT_EQUAL(pwrite(file, "x", 1, longer ? 10 : 5), 1);
    CU_ASSERT_TRUE(heed_mapping_was_written(data));
    CU_ASSERT_EQUAL(rename(path, moved), 0);
    CU_ASSERT_FALSE(heed_mapping_was_written(data)); /* nothing of that name */
    const int other = open(path, O_WRONLY | O_CREAT, 0600);
    CU_ASSERT_FALSE(heed_mapping_was_written(data));
    close(other);
    CU_ASSERT_EQUAL(rename(moved, path), 0);
    heed_mapping_close(data);
  }
  close(file);
  unlink(path);
}

static void what_cannot_be_mapped_is_refused(void) {
  const void *data = NULL;
  int ends[2];
  CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
  CU_ASSERT_EQUAL(heed_mapping_open(&data, ends[0], 100, "pipe"), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "pipe"));
  close(ends[0]);
  close(ends[1]);
}

HEED_TESTS({"a file cut short is named", a_file_cut_short_is_named}, {"other faults are left alone", other_faults_are_left_alone},
           {"what is written to is seen", what_is_written_to_is_seen},
           {"what cannot be mapped is refused", what_cannot_be_mapped_is_refused})
