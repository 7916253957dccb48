#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

struct heed_metrics {
  int file;
  char *path;
};

/* Reads a file into memory with a zero behind it; a file that is not there is empty. */
static heed_status read_file(const char *path, char **text, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  *text = NULL;
  *bytes = 0;
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
  if (file)
    fclose(file);
  if (!*text)
    return heed_error(HEED_FAILED, "%s: out of memory", path);
  (*text)[*bytes] = 0;
  return HEED_OK;
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

/* Bytes of the leading lines that are whole, sound and not after `step`. */
static size_t lines_to_keep(const char *text, size_t bytes, int64_t step) {
  size_t kept = 0;
  while (kept < bytes) {
    const char *end = memchr(text + kept, '\n', bytes - kept);
    heed_metrics_line line;
    if (!end || !parse_line(text + kept, (size_t)(end - text) - kept, &line) || line.step > step)
      break;
    kept = (size_t)(end - text) + 1;
  }
  return kept;
}

heed_status heed_metrics_open(heed_metrics **result, const char *path, int64_t step) {
  char *text;
  size_t bytes;
  HEED_TRY(read_file(path, &text, &bytes));
  size_t kept = lines_to_keep(text, bytes, step);
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

/* A number as JSON: as short as reads back to nine digits, null when not finite. */
static const char *print_number(char text[32], double value) {
  if (!isfinite(value))
    return "null";
  snprintf(text, 32, "%.9g", value);
  return text;
}

static heed_status append(heed_metrics *metrics, const char *line) {
  size_t bytes = strlen(line);
  if (write(metrics->file, line, bytes) != (ssize_t)bytes)
    return heed_error(HEED_IO, "%s: a line could not be written: %s", metrics->path, strerror(errno));
  return HEED_OK;
}

heed_status heed_metrics_step(heed_metrics *metrics, const heed_metrics_record *r) {
  char line[512], n[5][32];
  snprintf(line, sizeof line,
           "{\"step\": %lld, \"loss\": %s, \"learning_rate\": %s, \"grad_norm\": %s, \"tokens\": %lld, \"tokens_per_second\": %s, "
           "\"seconds\": %s}\n",
           (long long)r->step, print_number(n[0], r->loss), print_number(n[1], r->learning_rate), print_number(n[2], r->gradient_norm),
           (long long)r->tokens, print_number(n[3], r->tokens_per_second), print_number(n[4], r->seconds));
  return append(metrics, line);
}

heed_status heed_metrics_evaluation(heed_metrics *metrics, int64_t step, double loss, double accuracy) {
  char line[256], n[2][32];
  snprintf(line, sizeof line, "{\"step\": %lld, \"validation_loss\": %s, \"validation_accuracy\": %s}\n", (long long)step,
           print_number(n[0], loss), print_number(n[1], accuracy));
  return append(metrics, line);
}

heed_status heed_metrics_read(const char *path, heed_metrics_line **lines, int64_t *count) {
  char *text;
  size_t bytes;
  int64_t most = 1;
  *count = 0;
  HEED_TRY(read_file(path, &text, &bytes));
  for (size_t i = 0; i < bytes; i++)
    most += text[i] == '\n';
  *lines = malloc((size_t)most * sizeof **lines);
  if (*lines)
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
      *count += parse_line(line, strlen(line), &(*lines)[*count]);
  free(text);
  return *lines ? HEED_OK : heed_error(HEED_FAILED, "%s: out of memory", path);
}
