#include "report/samples.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "report/append.h"
#include "report/step_lines.h"

static const char *const kind_names[] = {"given", "made", "right", "wrong"};

/* A set owns its lists; the texts belong to the line that it was read from. */
typedef struct owned_set {
  heed_sample_set set;
  heed_sample *samples;
  heed_sample_part *parts;
  json_t *line;
} owned_set;

struct heed_samples {
  char *path;
  heed_append *file; /* NULL until there is something to write */
  owned_set *sets;
  int64_t count, capacity;
};

static void set_free(owned_set *owned) {
  free(owned->samples);
  free(owned->parts);
  json_decref(owned->line);
}

/* A part of a sample; what is not understood is given text. */
static heed_sample_part read_part(const json_t *part) {
  const char *text = json_string_value(json_object_get(part, "text")), *kind = json_string_value(json_object_get(part, "kind"));
  heed_sample_part result = {.text = text ? text : "", .actual = json_string_value(json_object_get(part, "actual"))};
  for (int k = 0; kind && k <= HEED_SAMPLE_WRONG; k++)
    if (strcmp(kind, kind_names[k]) == 0)
      result.kind = (heed_sample_kind)k;
  return result;
}

static heed_status read_set(owned_set *owned, json_t *line, int64_t step) {
  const json_t *list = json_object_get(line, "samples");
  size_t samples = json_array_size(list), parts = 0, at = 0;
  for (size_t i = 0; i < samples; i++)
    parts += json_array_size(json_array_get(list, i));
  *owned = (owned_set){
      .samples = calloc(samples + 1, sizeof *owned->samples), .parts = calloc(parts + 1, sizeof *owned->parts), .line = json_incref(line)};
  if (!owned->samples || !owned->parts) {
    set_free(owned);
    return heed_error(HEED_FAILED, "out of memory for samples");
  }
  owned->set = (heed_sample_set){.step = step, .samples = owned->samples, .count = (int64_t)samples};
  for (size_t i = 0; i < samples; i++) {
    const json_t *sample = json_array_get(list, i);
    owned->samples[i] = (heed_sample){.parts = owned->parts + at, .count = (int64_t)json_array_size(sample)};
    for (size_t j = 0; j < json_array_size(sample); j++)
      owned->parts[at++] = read_part(json_array_get(sample, j));
  }
  return HEED_OK;
}

static heed_status take_line(void *context, json_t *line, int64_t step) {
  heed_samples *s = context;
  if (s->count == s->capacity) {
    int64_t capacity = s->capacity > 0 ? 2 * s->capacity : 16;
    owned_set *larger = realloc(s->sets, (size_t)capacity * sizeof *larger);
    if (!larger)
      return heed_error(HEED_FAILED, "out of memory for samples");
    s->sets = larger;
    s->capacity = capacity;
  }
  HEED_TRY(read_set(&s->sets[s->count], line, step));
  s->count++;
  return HEED_OK;
}

heed_status heed_samples_open(heed_samples **result, const char *path, int64_t step) {
  heed_samples *s = calloc(1, sizeof *s);
  *result = NULL;
  if (!s || !(s->path = strdup(path))) {
    free(s);
    return heed_error(HEED_FAILED, "out of memory for samples");
  }
  heed_status status = heed_step_lines_cut(path, step, take_line, s);
  if (status == HEED_OK)
    *result = s;
  else
    heed_samples_close(s);
  return status;
}

void heed_samples_close(heed_samples *s) {
  if (!s)
    return;
  heed_append_close(s->file);
  for (int64_t i = 0; i < s->count; i++)
    set_free(&s->sets[i]);
  free(s->sets);
  free(s->path);
  free(s);
}

/* A text as JSON's, with U+FFFD for what is no UTF-8; NULL when memory is short. */
static json_t *valid_text(const char *text) {
  size_t bytes = strlen(text);
  char *valid = heed_utf8_repair(text, &bytes);
  json_t *string = valid ? json_stringn(valid, bytes) : NULL;
  free(valid);
  return string;
}

static json_t *write_sample(const heed_sample *sample) {
  json_t *parts = json_array();
  bool whole = parts != NULL;
  for (int64_t i = 0; i < sample->count && whole; i++) {
    const heed_sample_part *part = &sample->parts[i];
    json_t *object = json_object();
    whole = json_object_set_new(object, "text", valid_text(part->text)) == 0 &&
            json_object_set_new(object, "kind", json_string(kind_names[part->kind])) == 0 &&
            (!part->actual || json_object_set_new(object, "actual", valid_text(part->actual)) == 0);
    whole = json_array_append_new(parts, object) == 0 && whole;
  }
  if (whole)
    return parts;
  json_decref(parts);
  return NULL;
}

/* Appends a line that ends its text, and keeps what it says. */
static heed_status append(heed_samples *s, json_t *line, int64_t step) {
  char *text = json_dumps(line, 0);
  if (!text)
    return heed_error(HEED_FAILED, "out of memory for samples");
  size_t bytes = strlen(text);
  text[bytes] = '\n'; /* in the place of the zero: the length is known */
  heed_status status = s->file ? HEED_OK : heed_append_open(&s->file, s->path);
  if (status == HEED_OK)
    status = heed_append_write(s->file, text, bytes + 1);
  free(text);
  return status == HEED_OK ? take_line(s, line, step) : status;
}

heed_status heed_samples_add(heed_samples *s, int64_t step, const heed_sample *list, int64_t count) {
  json_t *line = json_object(), *samples = json_array();
  bool whole = json_object_set_new(line, "step", json_integer(step)) == 0;
  for (int64_t i = 0; i < count && whole; i++)
    whole = json_array_append_new(samples, write_sample(&list[i])) == 0;
  whole = json_object_set_new(line, "samples", samples) == 0 && whole;
  heed_status status = whole ? append(s, line, step) : heed_error(HEED_FAILED, "out of memory for samples");
  json_decref(line);
  return status;
}

int64_t heed_samples_count(const heed_samples *s) {
  return s->count;
}

const heed_sample_set *heed_samples_get(const heed_samples *s, int64_t i) {
  return &s->sets[i].set;
}
