/** A folder of a test's own below /tmp, and files in it. */
#ifndef HEED_TESTS_DATA_FOLDER_H
#define HEED_TESTS_DATA_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[64];

static inline void folder_make(void) {
  strcpy(folder, "/tmp/heed-data-XXXXXX");
  if (!mkdtemp(folder))
    abort();
}

static inline void folder_remove(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  if (system(command) != 0)
    fprintf(stderr, "%s was not removed\n", folder);
}

/** The path of a file in the folder; one of a few buffers used in turn. */
static inline const char *folder_path(const char *name) {
  static char paths[8][192];
  static int next;
  char *path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static inline const char *folder_write(const char *name, const void *data, size_t bytes) {
  const char *path = folder_path(name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
    abort();
  return path;
}

static inline const char *folder_write_text(const char *name, const char *text) {
  return folder_write(name, text, strlen(text));
}

/** The content of a file with a zero behind it; the caller frees it.  NULL when there is no such file. */
static inline char *folder_read(const char *name, size_t *bytes) {
  FILE *file = fopen(folder_path(name), "rb");
  if (!file)
    return NULL;
  char *text = malloc(16 << 20);
  *bytes = fread(text, 1, (16 << 20) - 1, file);
  text[*bytes] = 0;
  fclose(file);
  return text;
}

#endif
