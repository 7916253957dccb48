/* Replacing a small file: the old content or the new, whatever stands at the temporary name. */
#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "data/folder.h"
#include "test.h"

/* Entries of the folder, . and .. included. */
static int entries(void) {
  struct stat is;
  char command[128], name[32];
  snprintf(command, sizeof command, "ls -a '%s' | wc -l", folder);
  FILE *list = popen(command, "r");
  int count = list && fgets(name, sizeof name, list) ? atoi(name) : -1;
  if (list)
    pclose(list);
  return stat(folder, &is) == 0 ? count : -1;
}

static bool holds(const char *name, const char *text) {
  size_t bytes = 0;
  char *content = folder_read(name, &bytes);
  bool same = content && bytes == strlen(text) && memcmp(content, text, bytes) == 0;
  free(content);
  return same;
}

static const char *temporary_of(const char *name) {
  static char temporary[64];
  snprintf(temporary, sizeof temporary, "%s.tmp-%ld", name, (long)getpid());
  return temporary;
}

static void old_content_gives_way_to_new(void) {
  folder_make();
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("a"), "first, and long", 15), HEED_OK);
  CU_ASSERT_TRUE(holds("a", "first, and long"));
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("a"), "next", 4), HEED_OK);
  CU_ASSERT_TRUE(holds("a", "next"));
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("a"), "", 0), HEED_OK);
  CU_ASSERT_TRUE(holds("a", ""));
  CU_ASSERT_EQUAL(entries(), 3); /* no temporary file stays */
  folder_remove();
}

/* One who has the file open goes on reading what it was: the name is given to another file, nothing is written over. */
static void readers_keep_the_old(void) {
  char text[8] = "";
  folder_make();
  const char *path = folder_write_text("a", "old");
  FILE *reader = fopen(path, "rb");
  CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
  CU_ASSERT_EQUAL(heed_file_replace(path, "newer", 5), HEED_OK);
  CU_ASSERT_EQUAL(fread(text, 1, sizeof text - 1, reader), 3);
  CU_ASSERT_STRING_EQUAL(text, "old");
  fclose(reader);
  CU_ASSERT_TRUE(holds("a", "newer"));
  folder_remove();
}

static void leftovers_of_a_kill_do_not_matter(void) {
  folder_make();
  folder_write_text(temporary_of("a"), "half of something that was longer");
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("a"), "new", 3), HEED_OK);
  CU_ASSERT_TRUE(holds("a", "new"));
  CU_ASSERT_EQUAL(entries(), 3);
  folder_remove();
}

/* A link at the temporary name is not followed: what it points to stays as it is, and so does the file. */
static void links_are_not_followed(void) {
  folder_make();
  folder_write_text("precious", "precious");
  folder_write_text("a", "old");
  CU_ASSERT_EQUAL(symlink("precious", folder_path(temporary_of("a"))), 0);
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("a"), "new", 3), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), folder_path("a")));
  CU_ASSERT_TRUE(holds("precious", "precious"));
  CU_ASSERT_TRUE(holds("a", "old"));
  folder_remove();
}

/* A link at the name itself is replaced as a name. */
static void nor_is_the_name_a_way_elsewhere(void) {
  struct stat is;
  folder_make();
  folder_write_text("elsewhere", "kept");
  CU_ASSERT_EQUAL(symlink("elsewhere", folder_path("a")), 0);
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("a"), "new", 3), HEED_OK);
  CU_ASSERT_TRUE(holds("elsewhere", "kept"));
  CU_ASSERT_TRUE(lstat(folder_path("a"), &is) == 0 && S_ISREG(is.st_mode));
  folder_remove();
}

static void failures_name_the_path(void) {
  static char long_name[5000];
  folder_make();
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("missing/a"), "x", 1), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), folder_path("missing/a")));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), strerror(ENOENT)));

  CU_ASSERT_EQUAL(mkdir(folder_path("a-folder"), 0777), 0);
  CU_ASSERT_EQUAL(heed_file_replace(folder_path("a-folder"), "x", 1), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), folder_path("a-folder")));
  CU_ASSERT_EQUAL(entries(), 3); /* the temporary file is gone */

  memset(long_name, 'n', sizeof long_name - 1);
  CU_ASSERT_EQUAL(heed_file_replace(long_name, "x", 1), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "too long"));
  folder_remove();
}

/* A disk that is full in the middle: /dev/full refuses every write, but a device cannot be renamed over; a limit on sizes can stand for
 * it.  The old content stays. */
static void a_write_that_fails_leaves_the_old(void) {
  struct rlimit before, small = {4, RLIM_INFINITY};
  folder_make();
  folder_write_text("a", "old");
  CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &before), 0);
  small.rlim_max = before.rlim_max;
  void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
  CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &small), 0);
  heed_status status = heed_file_replace(folder_path("a"), "longer than four", 16);
  CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, handler);
  CU_ASSERT_EQUAL(status, HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), folder_path("a")));
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), strerror(EFBIG)));
  CU_ASSERT_TRUE(holds("a", "old"));
  CU_ASSERT_EQUAL(entries(), 3);
  folder_remove();
}

static void a_whole_file_is_taken(void) {
  char *text;
  size_t bytes;
  folder_make();
  folder_write("a", "one\0two", 7);
  CU_ASSERT_EQUAL_FATAL(heed_file_take(folder_path("a"), "a text", 7, &text, &bytes), HEED_OK);
  CU_ASSERT_EQUAL(bytes, 7);
  CU_ASSERT_EQUAL(memcmp(text, "one\0two", 8), 0); /* and a zero behind */
  free(text);
  CU_ASSERT_EQUAL_FATAL(heed_file_take(folder_write_text("empty", ""), "a text", 7, &text, &bytes), HEED_OK);
  CU_ASSERT_EQUAL(bytes, 0);
  free(text);
  CU_ASSERT_EQUAL(heed_file_take(folder_path("a"), "a text", 6, &text, &bytes), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "too large for a text"));
  CU_ASSERT_EQUAL(heed_file_take(folder_path("none"), "a text", 6, &text, &bytes), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_file_take(folder, "a text", 6, &text, &bytes), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "a folder, a text is expected"));
  CU_ASSERT_EQUAL(mkfifo(folder_path("pipe"), 0600), 0);
  CU_ASSERT_EQUAL(heed_file_take(folder_path("pipe"), "a text", 6, &text, &bytes), HEED_INVALID); /* and does not wait */
  folder_remove();
}

HEED_TESTS({"old content gives way to new", old_content_gives_way_to_new}, {"readers keep the old", readers_keep_the_old},
           {"leftovers of a kill do not matter", leftovers_of_a_kill_do_not_matter}, {"links are not followed", links_are_not_followed},
           {"nor is the name a way elsewhere", nor_is_the_name_a_way_elsewhere}, {"failures name the path", failures_name_the_path},
           {"a write that fails leaves the old", a_write_that_fails_leaves_the_old}, {"a whole file is taken", a_whole_file_is_taken})
