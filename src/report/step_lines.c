#include "report/step_lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

/* Reads a file into memory; one that is not there is empty. */
static heed_status read_file(const char *path, char **text, size_t *bytes) {
  struct stat about;
  *text = NULL;
  *bytes = 0;
  if (stat(path, &about) == 0 && !S_ISREG(about.st_mode) && !S_ISDIR(about.st_mode)) /* a pipe would hold us for ever */
    return heed_error(HEED_INVALID, "%s: is not a file; remove it", path);
  FILE *file = fopen(path, "rb");
  if (!file && errno != ENOENT)
    return heed_error(HEED_IO, "%s: could not be read: %s", path, strerror(errno));
  size_t capacity = 65536, got;
  *text = malloc(capacity);
  while (*text && file && (got = fread(*text + *bytes, 1, capacity - *bytes, file)) > 0) {
    *bytes += got;
    if (*bytes == capacity) {
      char *larger = realloc(*text, capacity *= 2);
      if (!larger)
        free(*text);
      *text = larger;
    }
  }
  heed_status status = HEED_OK;
  if (!*text)
    status = heed_error(HEED_FAILED, "%s: out of memory", path);
  else if (file && ferror(file)) /* what could not be read must not look like what is not there: open would cut it away */
    status = heed_error(HEED_IO, "%s: could not be read: %s", path, strerror(errno));
  if (file)
    fclose(file);
  if (status != HEED_OK) {
    free(*text);
    *text = NULL;
  }
  return status;
}

/* Gives the lines up to `step` to `take` and moves them to the front of `text`.  \param[out] kept  their bytes */
static heed_status take_lines(char *text, size_t bytes, int64_t step, heed_step_line_taker *take, void *context, size_t *kept) {
  heed_status status = HEED_OK;
  char *stop = text + bytes, *end;
  *kept = 0;
  for (char *start = text; status == HEED_OK && start < stop && (end = memchr(start, '\n', (size_t)(stop - start))); start = end + 1) {
    size_t length = (size_t)(end - start) + 1;
    json_t *object = json_loadb(start, length, 0, NULL);
    const json_t *its_step = json_object_get(object, "step");
    if (json_is_integer(its_step) && json_integer_value(its_step) <= step) {
      status = take(context, object, json_integer_value(its_step));
      memmove(text + *kept, start, length);
      *kept += length;
    }
    json_decref(object);
  }
  return status;
}

heed_status heed_step_lines_read(const char *path, heed_step_line_taker *take, void *context) {
  char *text;
  size_t bytes, kept;
  HEED_TRY(read_file(path, &text, &bytes));
  heed_status status = take_lines(text, bytes, INT64_MAX, take, context, &kept);
  free(text);
  return status;
}

heed_status heed_step_lines_cut(const char *path, int64_t step, heed_step_line_taker *take, void *context) {
  char *text;
  size_t bytes, kept;
  HEED_TRY(read_file(path, &text, &bytes));
  heed_status status = take_lines(text, bytes, step, take, context, &kept);
  if (status == HEED_OK && kept < bytes)
    status = heed_file_replace(path, text, kept);
  free(text);
  return status;
}
