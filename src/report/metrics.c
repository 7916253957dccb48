#include "report/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/append.h"
#include "report/step_lines.h"

struct heed_metrics {
  heed_append *file;
  heed_metrics_history so_far;
};

static double number_of(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return json_is_number(value) ? json_number_value(value) : NAN;
}

/* A list a layer, equally long: anything else is passed over. */
static heed_status read_entropy(heed_metrics_line *line, const json_t *rows) {
  size_t layers = json_array_size(rows), heads = json_array_size(json_array_get(rows, 0));
  for (size_t i = 0; i < layers; i++)
    if (json_array_size(json_array_get(rows, i)) != heads)
      return HEED_OK;
  if (layers == 0 || heads == 0)
    return HEED_OK;
  line->head_entropy = malloc(layers * heads * sizeof *line->head_entropy);
  if (!line->head_entropy)
    return heed_error(HEED_FAILED, "out of memory for metrics");
  line->layers = (int64_t)layers;
  line->heads = (int64_t)heads;
  for (size_t i = 0; i < layers * heads; i++) {
    const json_t *value = json_array_get(json_array_get(rows, i / heads), i % heads);
    line->head_entropy[i] = json_is_number(value) ? json_number_value(value) : NAN;
  }
  return HEED_OK;
}

static heed_status keep(heed_metrics_history *history, const heed_metrics_line *line) {
  if (history->count == history->capacity) {
    int64_t capacity = history->capacity > 0 ? 2 * history->capacity : 1024;
    heed_metrics_line *larger = realloc(history->lines, (size_t)capacity * sizeof *larger);
    if (!larger)
      return heed_error(HEED_FAILED, "out of memory for metrics");
    history->lines = larger;
    history->capacity = capacity;
  }
  history->lines[history->count++] = *line;
  return HEED_OK;
}

static heed_status take_line(void *history, json_t *object, int64_t step) {
  const json_t *tokens = json_object_get(object, "tokens");
  heed_metrics_line line = {.step = step,
                            .evaluation = json_object_get(object, "validation_loss") != NULL,
                            .loss = number_of(object, "loss"),
                            .learning_rate = number_of(object, "learning_rate"),
                            .gradient_norm = number_of(object, "grad_norm"),
                            .tokens_per_second = number_of(object, "tokens_per_second"),
                            .seconds = number_of(object, "seconds"),
                            .tokens = json_is_integer(tokens) ? json_integer_value(tokens) : 0,
                            .validation_loss = number_of(object, "validation_loss"),
                            .validation_accuracy = number_of(object, "validation_accuracy"),
                            .bits_per_byte = number_of(object, "bits_per_byte")};
  heed_status status = read_entropy(&line, json_object_get(object, "head_entropy"));
  if (status == HEED_OK)
    status = keep(history, &line);
  if (status != HEED_OK)
    free(line.head_entropy);
  return status;
}

heed_status heed_metrics_open(heed_metrics **result, const char *path, int64_t step) {
  heed_metrics *metrics = calloc(1, sizeof *metrics);
  *result = NULL;
  if (!metrics)
    return heed_error(HEED_FAILED, "out of memory for metrics");
  heed_status status = heed_step_lines_cut(path, step, take_line, &metrics->so_far);
  if (status == HEED_OK)
    status = heed_append_open(&metrics->file, path);
  if (status == HEED_OK)
    *result = metrics;
  else
    heed_metrics_close(metrics);
  return status;
}

void heed_metrics_close(heed_metrics *metrics) {
  if (!metrics)
    return;
  heed_append_close(metrics->file);
  heed_metrics_history_free(&metrics->so_far);
  free(metrics);
}

const heed_metrics_history *heed_metrics_so_far(const heed_metrics *metrics) {
  return &metrics->so_far;
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

/* Parts of a step: to the microsecond. */
static double fine(double seconds) {
  return isfinite(seconds) && fabs(seconds) < 1e9 ? round(seconds * 1e6) / 1e6 : seconds;
}

/* Appends a line, and keeps it as it reads back. */
static heed_status append(heed_metrics *metrics, const char *line, size_t bytes) {
  HEED_TRY(heed_append_write(metrics->file, line, bytes));
  json_t *object = json_loadb(line, bytes, 0, NULL);
  if (!object)
    return heed_error(HEED_FAILED, "out of memory for metrics");
  heed_status status = take_line(&metrics->so_far, object, json_integer_value(json_object_get(object, "step")));
  json_decref(object);
  return status;
}

heed_status heed_metrics_step(heed_metrics *metrics, const heed_metrics_record *r) {
  char line[768], n[10][32];
  int bytes = snprintf(
      line, sizeof line,
      "{\"step\": %lld, \"loss\": %s, \"learning_rate\": %s, \"grad_norm\": %s, \"tokens\": %lld, \"skipped\": %lld, \"spikes\": %lld, "
      "\"rollbacks\": %lld, \"tokens_per_second\": %s, "
      "\"seconds\": %s, \"timeline\": {\"passes\": %s, \"shares\": %s, \"wait\": %s, \"update\": %s, \"gather\": %s}}\n",
      (long long)r->step, print_number(n[0], r->loss), print_number(n[1], r->learning_rate), print_number(n[2], r->gradient_norm),
      (long long)r->tokens, (long long)r->skipped, (long long)r->spikes, (long long)r->rollbacks,
      print_number(n[3], rounded(r->tokens_per_second)), print_number(n[4], rounded(r->seconds)), print_number(n[5], fine(r->passes)),
      print_number(n[6], fine(r->shares)), print_number(n[7], fine(r->wait)), print_number(n[8], fine(r->update)),
      print_number(n[9], fine(r->gather)));
  return append(metrics, line, (size_t)bytes);
}

static void print_entropy(FILE *out, const heed_metrics_evaluation_record *r) {
  char n[32];
  fputs(", \"head_entropy\": [", out);
  for (int64_t l = 0; l < r->layers; l++)
    for (int64_t h = 0; h < r->heads; h++)
      fprintf(out, "%s%s%s",
              h > 0   ? ", "
              : l > 0 ? ", ["
                      : "[",
              print_number(n, r->head_entropy[l * r->heads + h]), h + 1 == r->heads ? "]" : "");
  fputs("]", out);
}

heed_status heed_metrics_evaluation(heed_metrics *metrics, const heed_metrics_evaluation_record *r) {
  char *line = NULL, n[32];
  size_t bytes = 0;
  FILE *out = open_memstream(&line, &bytes);
  if (!out)
    return heed_error(HEED_FAILED, "out of memory for metrics");
  fprintf(out, "{\"step\": %lld, \"validation_loss\": %s", (long long)r->step, print_number(n, r->loss));
  fprintf(out, ", \"validation_accuracy\": %s", print_number(n, r->accuracy));
  if (!isnan(r->bits_per_byte))
    fprintf(out, ", \"bits_per_byte\": %s", print_number(n, r->bits_per_byte));
  if (r->head_entropy && r->layers > 0 && r->heads > 0)
    print_entropy(out, r);
  fputs("}\n", out);
  bool whole = !ferror(out);
  heed_status status = fclose(out) == 0 && whole ? append(metrics, line, bytes) : heed_error(HEED_FAILED, "out of memory for metrics");
  free(line);
  return status;
}

heed_status heed_metrics_read(const char *path, heed_metrics_history *history) {
  *history = (heed_metrics_history){0};
  return heed_step_lines_read(path, take_line, history);
}

void heed_metrics_history_free(heed_metrics_history *history) {
  for (int64_t i = 0; i < history->count; i++)
    free(history->lines[i].head_entropy);
  free(history->lines);
  *history = (heed_metrics_history){0};
}

double heed_training_time_at(heed_training_time *time, const heed_metrics_line *line) {
  if (line->seconds < time->latest)
    time->before += time->latest;
  if (isfinite(line->seconds))
    time->latest = line->seconds;
  return time->before + time->latest;
}
