/* A BPE vocabulary is two files: whatever stops their exchange for new ones, an old and a new one are never taken for a vocabulary.
 * wrap: rename fsync */
#include "data/vocabulary_output.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "data/folder.h"
#include "heed/tokenizer.h"
#include "test.h"

static int left = -1; /* renames until one fails, or the program is killed; −1: until never */
static bool kills;
static int syncs_left = -1;

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_rename(const char *from, const char *to) {
  if (left == 0 && kills)
    _exit(1);
  if (left-- == 0) {
    errno = EIO;
    return -1;
  }
  return __real_rename(from, to);
}

int __real_fsync(int file);
int __wrap_fsync(int file);

int __wrap_fsync(int file) {
  if (syncs_left-- == 0) {
    errno = EIO;
    return -1;
  }
  return __real_fsync(file);
}

static heed_tokenizer *open_folder(const char *name) {
  heed_tokenizer *tokenizer = NULL;
  return heed_tokenizer_open(&tokenizer, folder_path(name), false) == HEED_OK ? tokenizer : NULL;
}

/* Tokens of a vocabulary that was stopped when it was replaced, 0 where it is refused. */
static int64_t size_when_stopped(const char *before, const char *new, int renames) {
  CU_ASSERT(command_ended(command_run("rm -rf %s && cp -r %s %s", folder_path("now"), folder_path(before), folder_path("now")), 0));
  heed_tokenizer *replacing = open_folder(new);
  CU_ASSERT_PTR_NOT_NULL_FATAL(replacing);
  const pid_t child = kills ? fork() : 0;
  int status = 0;
  if (child == 0) {
    left = renames;
    CU_ASSERT_EQUAL(heed_vocabulary_write(folder_path("now"), replacing), renames < 0 ? HEED_OK : HEED_IO);
    left = -1;
  } else {
    CU_ASSERT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 1);
  }
  heed_tokenizer_free(replacing);
  heed_tokenizer *now = open_folder("now");
  int64_t size = now ? heed_tokenizer_size(now) : 0;
  heed_tokenizer_free(now);
  return size;
}

/* The merges of one are the first of the other's, so that each half would fit. */
static void prepares(void) {
  static const char *const sizes[] = {"300", "400"};
  folder_make();
  for (int i = 0; i < 2; i++)
    CU_ASSERT(command_ended(command_run(HEED_PROGRAM " tokenizer train --type bpe --vocab-size %s --output %s " HEED_SOURCE
                                                     "/datasets/sample/text.txt",
                                        sizes[i], folder_path(sizes[i])),
                            0));
}

/* Two renames take the old ones aside, two more bring the new ones. */
static void an_error_keeps_the_old(void) {
  CU_ASSERT_EQUAL(size_when_stopped("300", "400", -1), 400);
  CU_ASSERT_EQUAL(command_run("ls %s | wc -l", folder_path("now")), 0);
  CU_ASSERT_EQUAL(atoi(command_output), 2);
  for (int renames = 0; renames < 4; renames++) {
    CU_ASSERT_EQUAL(size_when_stopped("300", "400", renames), 300);
    CU_ASSERT_EQUAL(command_run("ls %s | wc -l", folder_path("now")), 0);
    CU_ASSERT_EQUAL(atoi(command_output), 2);
  }
}

/* Where there was none before, there is none after an error either. */
static void an_error_leaves_no_half(void) {
  heed_tokenizer *tokenizer = open_folder("300");
  int failed = 0;
  CU_ASSERT_PTR_NOT_NULL_FATAL(tokenizer);
  for (;; failed++) {
    syncs_left = failed;
    heed_status status = heed_vocabulary_write(folder_path("new"), tokenizer);
    syncs_left = -1;
    if (status == HEED_OK)
      break;
    CU_ASSERT_EQUAL(status, HEED_IO);
    CU_ASSERT_NOT_EQUAL(access(folder_path("new"), F_OK), 0);
  }
  CU_ASSERT_EQUAL(failed, 6); /* both files, and each again with the folder when it gets its name */
  heed_tokenizer_free(tokenizer);
}

static void a_kill_mixes_nothing(void) {
  kills = true;
  for (int renames = 0; renames < 4; renames++) {
    CU_ASSERT_EQUAL(size_when_stopped("300", "400", renames), renames == 0 ? 300 : 0);
    CU_ASSERT_EQUAL(size_when_stopped("400", "300", renames), renames == 0 ? 400 : 0);
    CU_ASSERT_EQUAL(command_run("cd %s && ls | grep -c vocab.json && ls | grep -c merges.txt", folder_path("now")), 0); /* nor loses it */
    CU_ASSERT_STRING_EQUAL(command_output, "2\n2\n");
  }
  kills = false;
}

HEED_TESTS({"prepares", prepares}, {"an error keeps the old", an_error_keeps_the_old}, {"an error leaves no half", an_error_leaves_no_half},
           {"a kill mixes nothing", a_kill_mixes_nothing}, {"cleans up", folder_remove})
