#include "train/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "heed/config.h"
#include "heed/log.h"

static bool is_there(const char *path) {
  struct stat about;
  return lstat(path, &about) == 0;
}

/* Whether it is a file of just this text. */
static bool holds(const char *path, const char *text, size_t bytes) {
  char block[4096];
  struct stat about;
  int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  bool same = file >= 0 && fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == (off_t)bytes;
  while (same && bytes > 0) {
    ssize_t got = read(file, block, bytes < sizeof block ? bytes : sizeof block);
    if (got < 0 && errno == EINTR)
      continue;
    same = got > 0 && memcmp(block, text, (size_t)got) == 0;
    text += same ? got : 0;
    bytes -= same ? (size_t)got : 0;
  }
  if (file >= 0)
    close(file);
  return same;
}

static heed_status refuse_foreign(const char *path) {
  return heed_error(HEED_INVALID, "%s: is not a run's own, and would be replaced: move it, or choose another run.output", path);
}

heed_status heed_run_folder_check_config(const char *path) {
  heed_config config;
  char *text = NULL;
  if (!is_there(path))
    return HEED_OK;
  bool ours = heed_config_read(&config, path, NULL, 0) == HEED_OK;
  if (ours)
    ours = heed_config_print(&config, &text) == HEED_OK && holds(path, text, strlen(text));
  heed_config_free(&config);
  free(text);
  return ours ? HEED_OK : refuse_foreign(path);
}

heed_status heed_run_folder_check_vocabulary(const char *path, const void *text, size_t bytes) {
  if (!is_there(path) || holds(path, text, bytes))
    return HEED_OK;
  return heed_error(HEED_INVALID,
                    "%s: is another vocabulary than data.vocabulary, and would be replaced: move it, or choose another run.output", path);
}

static bool is_file(const char *path, off_t *bytes) {
  struct stat about;
  bool is = lstat(path, &about) == 0 && S_ISREG(about.st_mode);
  *bytes = is ? about.st_size : 0;
  return is;
}

static heed_status set_aside(const char *path) {
  char aside[PATH_MAX + 16];
  for (int i = 1; i == 1 || is_there(aside); i++)
    snprintf(aside, sizeof aside, "%s.%d", path, i);
  if (rename(path, aside) != 0)
    return heed_error(HEED_IO, "%s: could not be renamed to %s: %s", path, aside, strerror(errno));
  heed_warn("%s is of an earlier run, of which nothing is saved: it is %s now", path, aside);
  return HEED_OK;
}

heed_status heed_run_folder_spare(const char *folder) {
  static const char *const names[] = {"metrics.jsonl", "samples.jsonl", "loss.svg", "report.html"};
  enum { NAMES = sizeof names / sizeof *names, MEASURED = 2 };
  char path[PATH_MAX];
  off_t bytes;
  snprintf(path, sizeof path, "%s/config.yaml", folder);
  const bool ours = is_there(path);
  for (int i = 0; i < NAMES; i++) {
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    if (!is_file(path, &bytes))
      continue;
    if (!ours)
      return refuse_foreign(path);
    if (i < MEASURED && bytes > 0)
      HEED_TRY(set_aside(path));
  }
  return HEED_OK;
}
