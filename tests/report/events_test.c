/* TensorBoard's files are read back record by record, without TensorBoard: frames and checksums by a CRC32C of another make, messages by
 * the rules of protocol buffers' wire format.  tests/parity/events.py reads them with TensorBoard itself. */
#include "report/events.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/tfrecord.h"
#include "test.h"

static char folder[] = "/tmp/heed-events-XXXXXX", metrics_path[64], name[256];
static unsigned char content[1 << 20];
static size_t content_bytes;

/* Bit by bit, as the definition has it. */
static uint32_t slow_crc(const unsigned char *data, size_t bytes) {
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < 8 * bytes; i++) {
    uint32_t bit = (data[i / 8] >> i % 8 ^ crc) & 1;
    crc = crc >> 1 ^ (bit ? 0x82f63b78 : 0);
  }
  return ~crc;
}

/* RFC 3720, appendix B.4. */
static void checksums_are_the_standards(void) {
  unsigned char bytes[32];
  memset(bytes, 0, 32);
  CU_ASSERT_EQUAL(heed_crc32c(bytes, 32), 0x8a9136aa);
  memset(bytes, 255, 32);
  CU_ASSERT_EQUAL(heed_crc32c(bytes, 32), 0x62a8ab43);
  for (int i = 0; i < 32; i++)
    bytes[i] = (unsigned char)i;
  CU_ASSERT_EQUAL(heed_crc32c(bytes, 32), 0x46dd794e);
  CU_ASSERT_EQUAL(slow_crc(bytes, 32), 0x46dd794e);
  CU_ASSERT_EQUAL(heed_crc32c("123456789", 9), 0xe3069283);
  CU_ASSERT_EQUAL(heed_crc32c("", 0), 0);
}

static uint64_t little_endian(const unsigned char *at, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; i--)
    value = value << 8 | at[i];
  return value;
}

static bool has_checksum(const unsigned char *data, size_t bytes, const unsigned char *stored) {
  uint32_t crc = slow_crc(data, bytes);
  return little_endian(stored, 4) == (uint32_t)((crc >> 15 | crc << 17) + 0xa282ead8);
}

static uint64_t varint(const unsigned char **at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    value |= (uint64_t)(**at & 127) << shift;
    if (!(*(*at)++ & 128))
      return value;
  }
}

/* The next field of a message.  \param[out] value  a number, or the bytes that begin at the returned place */
static const unsigned char *field(const unsigned char **at, int *number, uint64_t *value) {
  uint64_t key = varint(at);
  *number = (int)(key >> 3);
  const unsigned char *data = *at;
  switch (key & 7) {
  case 0:
    *value = varint(at);
    return data;
  case 1:
    *value = little_endian(data, 8);
    *at += 8;
    return data;
  case 2:
    *value = varint(at);
    data = *at;
    *at += *value;
    return data;
  default:
    *value = little_endian(data, 4);
    *at += 4;
    return data;
  }
}

typedef struct scalar {
  int64_t step;
  double time;
  char tag[64];
  float value;
} scalar;

static scalar scalars[4096];
static int scalar_count, starts, versions, empty;

static void read_value(const unsigned char *at, const unsigned char *end, scalar *result) {
  int number;
  uint64_t value;
  bool has_value = false;
  while (at < end) {
    const unsigned char *data = field(&at, &number, &value);
    if (number == 1)
      snprintf(result->tag, sizeof result->tag, "%.*s", (int)value, (const char *)data);
    if (number == 2) {
      uint32_t bits = (uint32_t)value;
      memcpy(&result->value, &bits, sizeof bits);
      has_value = true;
    }
  }
  CU_ASSERT(has_value); /* also where it is 0 */
}

static void read_event(const unsigned char *at, const unsigned char *end) {
  int number, inner;
  uint64_t value, size;
  scalar now = {0};
  while (at < end) {
    const unsigned char *data = field(&at, &number, &value);
    if (number == 1)
      memcpy(&now.time, &value, sizeof value);
    else if (number == 2)
      now.step = (int64_t)value;
    else if (number == 3)
      versions += value == 13 && memcmp(data, "brain.Event:2", 13) == 0;
    else if (number == 7)
      starts += value == 2 && data[0] == 8 && data[1] == 1 && now.step == 0;
    else if (number == 5)
      for (const unsigned char *in = data; in < data + value;) {
        const unsigned char *one = field(&in, &inner, &size);
        CU_ASSERT_FATAL(inner == 1 && scalar_count < 4096);
        scalars[scalar_count] = now;
        read_value(one, one + size, &scalars[scalar_count++]);
      }
  }
}

/* Reads the folder's one event file; every byte of it must belong to a sound record. */
static void read_events(void) {
  char path[512];
  int files = 0;
  empty = 0;
  DIR *directory = opendir(folder);
  for (const struct dirent *entry; (entry = readdir(directory));)
    if (strstr(entry->d_name, "tfevents") && strstr(entry->d_name, ".heed")) {
      struct stat about;
      snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
      CU_ASSERT_EQUAL(stat(path, &about), 0);
      if (about.st_size > 0)
        files++, snprintf(name, sizeof name, "%s", entry->d_name);
      else
        empty++;
    }
  closedir(directory);
  CU_ASSERT_EQUAL_FATAL(files, 1);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  content_bytes = fread(content, 1, sizeof content, file);
  fclose(file);
  scalar_count = starts = versions = 0;
  for (size_t at = 0; at < content_bytes;) {
    CU_ASSERT_FATAL(at + 16 <= content_bytes);
    size_t length = little_endian(content + at, 8);
    CU_ASSERT_FATAL(length <= content_bytes - at - 16);
    CU_ASSERT_FATAL(has_checksum(content + at, 8, content + at + 8));
    CU_ASSERT_FATAL(has_checksum(content + at + 12, length, content + at + 12 + length));
    read_event(content + at + 12, content + at + 12 + length);
    at += 16 + length;
  }
  CU_ASSERT(versions == 1 && starts == 1);
}

static bool same(float value, double expected) {
  return value == (float)expected || (isnan(value) && !isfinite(expected));
}

static int checked;

/* The next scalar is this one. */
static void expect(int64_t step, const char *tag, double value) {
  CU_ASSERT_FATAL(checked < scalar_count);
  const scalar *s = &scalars[checked++];
  CU_ASSERT(s->step == step && same(s->value, value));
  CU_ASSERT_STRING_EQUAL(s->tag, tag);
  CU_ASSERT(checked == 1 || s->time >= s[-1].time);
}

/* The events are what metrics.jsonl holds, value by value. */
static void compare_with_metrics(void) {
  heed_metrics_history history;
  char tag[64];
  CU_ASSERT_EQUAL(heed_metrics_read(metrics_path, &history), HEED_OK);
  read_events();
  checked = 0;
  for (int64_t i = 0; i < history.count; i++) {
    const heed_metrics_line *line = &history.lines[i];
    if (line->evaluation) {
      expect(line->step, "validation_loss", line->validation_loss);
      expect(line->step, "validation_accuracy", line->validation_accuracy);
      if (!isnan(line->bits_per_byte))
        expect(line->step, "bits_per_byte", line->bits_per_byte);
      for (int64_t h = 0; h < line->layers * line->heads; h++) {
        snprintf(tag, sizeof tag, "head_entropy/layer_%d/head_%d", (int)(h / line->heads), (int)(h % line->heads));
        expect(line->step, tag, line->head_entropy[h]);
      }
    } else {
      expect(line->step, "loss", line->loss);
      expect(line->step, "learning_rate", line->learning_rate);
      expect(line->step, "grad_norm", line->gradient_norm);
      expect(line->step, "tokens_per_second", line->tokens_per_second);
    }
  }
  CU_ASSERT_EQUAL(checked, scalar_count);
  heed_metrics_history_free(&history);
}

/* Logs steps up to `until`, every tenth an evaluation too, and passes each on. */
static void go_on(heed_metrics *metrics, heed_events *events, int64_t from, int64_t until) {
  const double entropy[6] = {0, 0.5, 1.0 / 3, 2, 3, NAN};
  for (int64_t step = from; step <= until; step++) {
    heed_metrics_record record = {.step = step,
                                  .loss = step == 7 ? NAN : 10.0 / (double)step,
                                  .learning_rate = 1e-4 * (double)(step - 1),
                                  .gradient_norm = 0.1,
                                  .tokens = 100,
                                  .tokens_per_second = 1234.5,
                                  .seconds = 0.01 * (double)step};
    CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_OK);
    CU_ASSERT_EQUAL(heed_events_follow(events, heed_metrics_so_far(metrics)), HEED_OK);
    heed_metrics_evaluation_record evaluation = {
        .step = step, .loss = 2, .accuracy = 0, .bits_per_byte = step > 10 ? 1.25 : NAN, .head_entropy = entropy, .layers = 2, .heads = 3};
    if (step % 10 == 0)
      CU_ASSERT_EQUAL(heed_metrics_evaluation(metrics, &evaluation), HEED_OK);
  }
  CU_ASSERT_EQUAL(heed_events_follow(events, heed_metrics_so_far(metrics)), HEED_OK);
}

static void begin_at(int64_t step, heed_metrics **metrics, heed_events **events) {
  CU_ASSERT_EQUAL_FATAL(heed_metrics_open(metrics, metrics_path, step), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_events_open(events, folder, heed_metrics_so_far(*metrics)), HEED_OK);
}

static void events_are_the_metrics(void) {
  heed_metrics *metrics;
  heed_events *events;
  begin_at(0, &metrics, &events);
  compare_with_metrics(); /* an empty run is a sound file */
  go_on(metrics, events, 1, 25);
  compare_with_metrics(); /* while the run has it open */
  CU_ASSERT_EQUAL(scalar_count, 25 * 4 + 2 * (2 + 6) + 1);
  heed_events_close(events);
  heed_metrics_close(metrics);
}

/* Resumed at step 12: what was later is gone, and a file that is newer by its name stands alone. */
static void a_resume_cuts_back(void) {
  char before[sizeof name];
  strcpy(before, name);
  heed_metrics *metrics;
  heed_events *events;
  begin_at(12, &metrics, &events);
  compare_with_metrics();
  CU_ASSERT(strcmp(name, before) > 0);
  CU_ASSERT_EQUAL(empty, 1); /* the one before, for who has it open */
  go_on(metrics, events, 13, 31);
  compare_with_metrics();
  heed_events_close(events);
  heed_metrics_close(metrics);
}

/* The files of other programs are theirs. */
static void others_events_stay(void) {
  char path[128];
  snprintf(path, sizeof path, "%s/events.out.tfevents.9999999999.other", folder);
  fclose(fopen(path, "w"));
  heed_metrics *metrics;
  heed_events *events;
  begin_at(31, &metrics, &events);
  CU_ASSERT_EQUAL(access(path, F_OK), 0);
  compare_with_metrics();
  CU_ASSERT_EQUAL(empty, 1); /* and not one more at each start */
  heed_events_close(events);
  heed_metrics_close(metrics);
  unlink(path);
}

/* A limit on the file's size makes a write short, as a full disk does: no half record stays, and later all is made up for. */
static void a_full_disk_leaves_whole_records(void) {
  heed_metrics *metrics;
  heed_events *events;
  begin_at(31, &metrics, &events);
  read_events();
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, limit;
  getrlimit(RLIMIT_FSIZE, &old);
  limit = (struct rlimit){.rlim_cur = content_bytes + 20, .rlim_max = old.rlim_max};
  heed_metrics_record record = {.step = 32, .loss = 1, .tokens = 1};
  CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_OK);
  setrlimit(RLIMIT_FSIZE, &limit);
  CU_ASSERT_EQUAL(heed_events_follow(events, heed_metrics_so_far(metrics)), HEED_IO);
  setrlimit(RLIMIT_FSIZE, &old);
  size_t before = content_bytes;
  read_events();
  CU_ASSERT_EQUAL(content_bytes, before);
  CU_ASSERT_EQUAL(heed_events_follow(events, heed_metrics_so_far(metrics)), HEED_OK);
  compare_with_metrics();
  heed_events_close(events);
  heed_metrics_close(metrics);
}

static void no_folder_is_told(void) {
  heed_events *events;
  heed_metrics_history none = {0};
  CU_ASSERT_EQUAL(heed_events_open(&events, "/no/such/folder", &none), HEED_IO);
  CU_ASSERT_PTR_NULL(events);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/no/such/folder"));
}

static void begin(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  snprintf(metrics_path, sizeof metrics_path, "%s/metrics.jsonl", folder);
}

static void end(void) {
  char command[128];
  unlink(metrics_path);
  snprintf(command, sizeof command, "rm %s/events.out.tfevents.*.heed", folder);
  CU_ASSERT_EQUAL(system(command), 0);
  CU_ASSERT_EQUAL(rmdir(folder), 0); /* and nothing else was left there */
}

HEED_TESTS({"begin", begin}, {"checksums are the standard's", checksums_are_the_standards},
           {"events are the metrics", events_are_the_metrics}, {"a resume cuts back", a_resume_cuts_back},
           {"others' events stay", others_events_stay}, {"a full disk leaves whole records", a_full_disk_leaves_whole_records},
           {"no folder is told", no_folder_is_told}, {"end", end})
