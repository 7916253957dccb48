#include "report/events.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "report/append.h"
#include "report/events.pb-c.h"
#include "report/tfrecord.h"

enum { LONGEST_TAG = 80 };
static const char prefix[] = "events.out.tfevents.", suffix[] = ".heed";

struct heed_events {
  heed_append *file;
  int64_t followed; /* lines of the history that are in the file */
  /* Room for one line's event, kept from line to line. */
  Heed__Events__Summary__Value *values, **list;
  char (*tags)[LONGEST_TAG];
  int64_t capacity;
  unsigned char *record;
  size_t record_bytes;
};

static heed_status make_room(heed_events *e, int64_t values) {
  if (values <= e->capacity)
    return HEED_OK;
  free(e->values);
  free(e->list);
  free(e->tags);
  e->values = malloc((size_t)values * sizeof *e->values);
  e->list = malloc((size_t)values * sizeof *e->list);
  e->tags = malloc((size_t)values * sizeof *e->tags);
  e->capacity = e->values && e->list && e->tags ? values : 0;
  return e->capacity > 0 ? HEED_OK : heed_error(HEED_FAILED, "out of memory for events");
}

/* Packs an event into e->record.  \param[out] bytes  with its frame */
static heed_status pack(heed_events *e, const Heed__Events__Event *event, size_t *bytes) {
  size_t packed = heed__events__event__get_packed_size(event), needed = HEED_TFRECORD_HEAD + packed + HEED_TFRECORD_TAIL;
  if (needed > e->record_bytes) {
    free(e->record);
    e->record = malloc(e->record_bytes = needed);
    if (!e->record) {
      e->record_bytes = 0;
      return heed_error(HEED_FAILED, "out of memory for events");
    }
  }
  heed__events__event__pack(event, e->record + HEED_TFRECORD_HEAD);
  *bytes = heed_tfrecord_frame(e->record, packed);
  return HEED_OK;
}

/* Adds a value to the summary; without a tag, `layer` and `head` make it. */
static void add(heed_events *e, Heed__Events__Summary *summary, const char *tag, int64_t layer, int64_t head, double value) {
  size_t i = summary->n_value++;
  if (tag)
    snprintf(e->tags[i], LONGEST_TAG, "%s", tag);
  else
    snprintf(e->tags[i], LONGEST_TAG, "head_entropy/layer_%lld/head_%lld", (long long)layer, (long long)head);
  heed__events__summary__value__init(&e->values[i]);
  e->values[i].tag = e->tags[i];
  e->values[i].value_case = HEED__EVENTS__SUMMARY__VALUE__VALUE_SIMPLE_VALUE;
  e->values[i].simple_value = (float)value;
  e->list[i] = &e->values[i];
}

/* A line of metrics as one event with a value a curve.  What a line does not have it leaves out; a number that metrics.jsonl holds as null
 * is a NaN, which TensorBoard marks. */
static heed_status pack_line(heed_events *e, const heed_metrics_line *line, double time, size_t *bytes) {
  Heed__Events__Event event = HEED__EVENTS__EVENT__INIT;
  Heed__Events__Summary summary = HEED__EVENTS__SUMMARY__INIT;
  HEED_TRY(make_room(e, 4 + line->layers * line->heads));
  if (line->evaluation) {
    add(e, &summary, "validation_loss", 0, 0, line->validation_loss);
    add(e, &summary, "validation_accuracy", 0, 0, line->validation_accuracy);
    if (isfinite(line->bits_per_byte))
      add(e, &summary, "bits_per_byte", 0, 0, line->bits_per_byte);
    for (int64_t i = 0; i < line->layers * line->heads; i++)
      add(e, &summary, NULL, i / line->heads, i % line->heads, line->head_entropy[i]);
  } else {
    add(e, &summary, "loss", 0, 0, line->loss);
    add(e, &summary, "learning_rate", 0, 0, line->learning_rate);
    add(e, &summary, "grad_norm", 0, 0, line->gradient_norm);
    add(e, &summary, "tokens_per_second", 0, 0, line->tokens_per_second);
  }
  summary.value = e->list;
  event.wall_time = time;
  event.step = line->step;
  event.what_case = HEED__EVENTS__EVENT__WHAT_SUMMARY;
  event.summary = &summary;
  return pack(e, &event, bytes);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Writes the events that begin a file. */
static heed_status print_beginning(heed_events *e, FILE *out, double time) {
  Heed__Events__Event event = HEED__EVENTS__EVENT__INIT;
  Heed__Events__SessionLog session = HEED__EVENTS__SESSION_LOG__INIT;
  size_t bytes = 0;
  event.wall_time = time;
  event.what_case = HEED__EVENTS__EVENT__WHAT_FILE_VERSION;
  event.file_version = (char[]){"brain.Event:2"};
  HEED_TRY(pack(e, &event, &bytes));
  fwrite(e->record, 1, bytes, out);
  session.status = HEED__EVENTS__SESSION_LOG__SESSION_STATUS__START;
  event.what_case = HEED__EVENTS__EVENT__WHAT_SESSION_LOG;
  event.session_log = &session;
  HEED_TRY(pack(e, &event, &bytes));
  fwrite(e->record, 1, bytes, out);
  return HEED_OK;
}

/* Writes all lines, as if the last was logged just now. */
static heed_status print_history(heed_events *e, FILE *out, const heed_metrics_history *history) {
  size_t bytes;
  heed_training_time clock = {0};
  double seconds = 0;
  for (int64_t i = 0; i < history->count; i++)
    seconds = heed_training_time_at(&clock, &history->lines[i]);
  double begun = now() - seconds;
  HEED_TRY(print_beginning(e, out, begun));
  clock = (heed_training_time){0};
  for (int64_t i = 0; i < history->count; i++) {
    HEED_TRY(pack_line(e, &history->lines[i], begun + heed_training_time_at(&clock, &history->lines[i]), &bytes));
    fwrite(e->record, 1, bytes, out);
  }
  e->followed = history->count;
  return HEED_OK;
}

/* Whether a file's name is one that a run gave.  \param[out] time  the seconds in it */
static bool is_ours(const char *name, long long *time) {
  size_t length = strlen(name), end = sizeof suffix - 1;
  return strncmp(name, prefix, sizeof prefix - 1) == 0 && length > end && strcmp(name + length - end, suffix) == 0 &&
         sscanf(name + sizeof prefix - 1, "%lld.", time) == 1;
}

/* The newest of the run's event files in the folder: the seconds in its name, 0 for none. */
static long long newest_of(const char *folder) {
  long long newest = 0, time;
  DIR *directory = opendir(folder);
  for (const struct dirent *entry; directory && (entry = readdir(directory));)
    if (is_ours(entry->d_name, &time) && time > newest)
      newest = time;
  if (directory)
    closedir(directory);
  return newest;
}

/* The file `name` stands for all before it.  The last of these is emptied, not removed: a TensorBoard that has it open could read no
 * further, and would never come to the new one. */
static void retire_others(const char *folder, const char *name, long long last) {
  char path[PATH_MAX];
  long long time;
  DIR *directory = opendir(folder);
  for (const struct dirent *entry; directory && (entry = readdir(directory));) {
    if (!is_ours(entry->d_name, &time) || strcmp(entry->d_name, name) == 0 ||
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path)
      continue;
    if (time < last || truncate(path, 0) != 0)
      unlink(path);
  }
  if (directory)
    closedir(directory);
}

/* TensorBoard reads a run's files in the order of their names, and none twice: the new one is later than any before. */
static void choose_name(long long newest, char name[NAME_MAX]) {
  char host[64] = "host";
  long long seconds = (long long)time(NULL);
  gethostname(host, sizeof host - 1);
  for (char *at = host; *at; at++)
    if (!isalnum((unsigned char)*at) && *at != '-' && *at != '.')
      *at = '-';
  snprintf(name, NAME_MAX, "%s%010lld.%s.%ld%s", prefix, seconds > newest ? seconds : newest + 1, host, (long)getpid(), suffix);
}

/* Under a name of TensorBoard's only once it is whole: it would be read before. */
static heed_status place(const char *folder, const char *name, const char *text, size_t bytes, char path[PATH_MAX]) {
  char unseen[PATH_MAX];
  if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX || snprintf(unseen, PATH_MAX, "%s/events.new", folder) >= PATH_MAX)
    return heed_error(HEED_IO, "the path is too long: %s", folder);
  HEED_TRY(heed_file_replace(unseen, text, bytes));
  if (rename(unseen, path) == 0)
    return HEED_OK;
  heed_status status = heed_error(HEED_IO, "%s: could not be made: %s", path, strerror(errno));
  unlink(unseen);
  return status;
}

heed_status heed_events_open(heed_events **result, const char *folder, const heed_metrics_history *history) {
  char *text = NULL, name[NAME_MAX], path[PATH_MAX];
  size_t bytes = 0;
  heed_events *e = calloc(1, sizeof *e);
  FILE *out = open_memstream(&text, &bytes);
  *result = NULL;
  heed_status status = e && out ? print_history(e, out, history) : heed_error(HEED_FAILED, "out of memory for events");
  bool whole = out && !ferror(out);
  if ((out && fclose(out) != 0) || !whole)
    status = heed_error(HEED_FAILED, "out of memory for events");
  long long last = newest_of(folder);
  choose_name(last, name);
  if (status == HEED_OK)
    status = place(folder, name, text, bytes, path);
  if (status == HEED_OK)
    status = heed_append_open(&e->file, path);
  free(text);
  if (status != HEED_OK) {
    heed_events_close(e);
    return status;
  }
  retire_others(folder, name, last);
  *result = e;
  return HEED_OK;
}

void heed_events_close(heed_events *e) {
  if (!e)
    return;
  heed_append_close(e->file);
  free(e->values);
  free(e->list);
  free(e->tags);
  free(e->record);
  free(e);
}

heed_status heed_events_follow(heed_events *e, const heed_metrics_history *history) {
  size_t bytes;
  for (; e->followed < history->count; e->followed++) {
    HEED_TRY(pack_line(e, &history->lines[e->followed], now(), &bytes));
    HEED_TRY(heed_append_write(e->file, e->record, bytes));
  }
  return HEED_OK;
}
