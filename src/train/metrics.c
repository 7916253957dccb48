#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

struct heed_metrics {
  int file;
  char *path;
};

/* Reads a file into memory with a zero behind it; a file that is not there is empty. */
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
  while (*text && file && (got = fread(*text + *bytes, 1, capacity - *bytes - 1, file)) > 0) {
    *bytes += got;
    if (*bytes + 1 == capacity) {
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
  else
    (*text)[*bytes] = 0;
  if (file)
    fclose(file);
  if (status != HEED_OK) {
    free(*text);
    *text = NULL;
  }
  return status;
}

static double number_of(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

/* One line; false for one that is no JSON object with a step. */
static bool parse_line(const char *text, size_t bytes, heed_metrics_line *line) {
  json_t *object = json_loadb(text, bytes, 0, NULL);
  const json_t *step = json_object_get(object, "step");
  bool good = json_is_integer(step);
  if (good)
    *line = (heed_metrics_line){.step = json_integer_value(step),
                                .loss = number_of(object, "loss"),
                                .learning_rate = number_of(object, "learning_rate"),
                                .gradient_norm = number_of(object, "grad_norm"),
                                .tokens_per_second = number_of(object, "tokens_per_second"),
                                .validation_loss = number_of(object, "validation_loss"),
                                .validation_accuracy = number_of(object, "validation_accuracy")};
  json_decref(object);
  return good;
}

/* Moves the lines that stay to the front of `text` and gives their bytes.  Dropped are lines of later steps, a last line without an end
 * (a kill left it), and what is no record (a file system may leave zeros after a crash). */
static size_t keep_lines(char *text, size_t bytes, int64_t step) {
  size_t kept = 0;
  char *stop = text + bytes, *end;
  for (char *start = text; start < stop && (end = memchr(start, '\n', (size_t)(stop - start))); start = end + 1) {
    heed_metrics_line line;
    size_t length = (size_t)(end - start) + 1;
    if (!parse_line(start, length, &line) || line.step > step)
      continue;
    memmove(text + kept, start, length);
    kept += length;
  }
  return kept;
}

heed_status heed_metrics_open(heed_metrics **result, const char *path, int64_t step) {
  char *text;
  size_t bytes;
  HEED_TRY(read_file(path, &text, &bytes));
  size_t kept = keep_lines(text, bytes, step);
  heed_status status = kept < bytes ? heed_file_replace(path, text, kept) : HEED_OK;
  free(text);
  HEED_TRY(status);
  heed_metrics *metrics = calloc(1, sizeof *metrics);
  if (!metrics || !(metrics->path = strdup(path))) {
    free(metrics);
    return heed_error(HEED_FAILED, "out of memory");
  }
  metrics->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (metrics->file < 0) {
    status = heed_error(HEED_IO, "%s: could not be opened: %s", path, strerror(errno));
    free(metrics->path);
    free(metrics);
    return status;
  }
  *result = metrics;
  return HEED_OK;
}

void heed_metrics_close(heed_metrics *metrics) {
  if (!metrics)
    return;
  close(metrics->file);
  free(metrics->path);
  free(metrics);
}

/* A number as JSON: the shortest text that reads back as the same double, null when not finite. */
static const char *print_number(char text[32], double value) {
  if (!isfinite(value))
    return "null";
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(text, 32, "%.*g", digits, value);
    if (strtod(text, NULL) == value)
      break;
  }
  return text;
}

/* Measured times carry no more than this: thousandths. */
static double rounded(double value) {
  return isfinite(value) && fabs(value) < 1e12 ? round(value * 1000) / 1000 : value;
}

/* A line that was written in part (the disk is full) is taken back, so that the next one does not run on from it. */
static heed_status append(heed_metrics *metrics, const char *line) {
  size_t bytes = strlen(line);
  off_t before = lseek(metrics->file, 0, SEEK_END);
  ssize_t written;
  do
    written = write(metrics->file, line, bytes);
  while (written < 0 && errno == EINTR);
  if (written == (ssize_t)bytes)
    return HEED_OK;
  int reason = written < 0 ? errno : ENOSPC;
  bool whole = written <= 0 || (before >= 0 && ftruncate(metrics->file, before) == 0);
  return heed_error(HEED_IO, "%s: a line could not be written%s: %s", metrics->path, whole ? "" : " whole", strerror(reason));
}

heed_status heed_metrics_step(heed_metrics *metrics, const heed_metrics_record *r) {
  char line[512], n[5][32];
  snprintf(line, sizeof line,
           "{\"step\": %lld, \"loss\": %s, \"learning_rate\": %s, \"grad_norm\": %s, \"tokens\": %lld, \"tokens_per_second\": %s, "
           "\"seconds\": %s}\n",
           (long long)r->step, print_number(n[0], r->loss), print_number(n[1], r->learning_rate), print_number(n[2], r->gradient_norm),
           (long long)r->tokens, print_number(n[3], rounded(r->tokens_per_second)), print_number(n[4], rounded(r->seconds)));
  return append(metrics, line);
}

heed_status heed_metrics_evaluation(heed_metrics *metrics, int64_t step, double loss, double accuracy) {
  char line[256], n[2][32];
  snprintf(line, sizeof line, "{\"step\": %lld, \"validation_loss\": %s, \"validation_accuracy\": %s}\n", (long long)step,
           print_number(n[0], loss), print_number(n[1], accuracy));
  return append(metrics, line);
}

heed_status heed_metrics_read(const char *path, heed_metrics_line **lines, int64_t *count) {
  char *text, *end;
  size_t bytes;
  int64_t most = 1;
  *lines = NULL;
  *count = 0;
  HEED_TRY(read_file(path, &text, &bytes));
  for (size_t i = 0; i < bytes; i++)
    most += text[i] == '\n';
  *lines = malloc((size_t)most * sizeof **lines);
  if (*lines)
    for (char *line = text; (end = memchr(line, '\n', bytes - (size_t)(line - text))); line = end + 1)
      *count += parse_line(line, (size_t)(end - line), &(*lines)[*count]);
  free(text);
  return *lines ? HEED_OK : heed_error(HEED_FAILED, "%s: out of memory", path);
}
