/* Feeds a folder of files to a fuzz target, each in a child under the limits that are promised of strangers' files.  What is called good*
 * must be accepted, so that the target is known to come past the first check. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "fuzz/target.h"
#include "stranger.h"

enum { HARM = 1, GOOD_REFUSED = 2 };

typedef struct fed {
  const char *path;
  bool good;
} fed;

static int feed(const void *argument) {
  const fed *what = argument;
  struct stat about;
  int file = open(what->path, O_RDONLY);
  if (file < 0 || fstat(file, &about) != 0)
    return HARM;
  uint8_t *data = malloc((size_t)about.st_size + 1);
  if (!data || read(file, data, (size_t)about.st_size) != about.st_size)
    return HARM;
  LLVMFuzzerTestOneInput(data, (size_t)about.st_size);
  free(data);
  return what->good && fuzz_accepted == 0 ? GOOD_REFUSED : 0;
}

static int is_shown(const struct dirent *entry) {
  return entry->d_name[0] != '.';
}

int main(int count, char **arguments) {
  struct dirent **entries;
  int files = count == 2 ? scandir(arguments[1], &entries, is_shown, alphasort) : -1, harmless = 0, good = 0;
  if (files < 1) {
    fprintf(stderr, "usage: %s FOLDER, which holds files\n", arguments[0]);
    return 64;
  }
  for (int i = 0; i < files; i++) {
    char path[PATH_MAX];
    fed what = {.path = path, .good = strncmp(entries[i]->d_name, "good", 4) == 0};
    snprintf(path, sizeof path, "%s/%s", arguments[1], entries[i]->d_name);
    int code = limits_run(feed, &what);
    if (code != 0)
      printf("%s: %s, code %d\n", path, code == GOOD_REFUSED ? "good, and was refused" : "did harm", code);
    harmless += code == 0;
    good += what.good;
    free(entries[i]);
  }
  free(entries);
  printf("%d of %d files did no harm\n", harmless, files);
  return harmless != files || good == 0;
}
