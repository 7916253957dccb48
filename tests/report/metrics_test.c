#include "report/metrics.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

static char folder[] = "/tmp/heed-metrics-XXXXXX", path[64], text[65536];

static void put(const char *content, size_t bytes) {
  FILE *file = fopen(path, "wb");
  CU_ASSERT_FATAL(file != NULL);
  CU_ASSERT_EQUAL(fwrite(content, 1, bytes, file), bytes);
  fclose(file);
}

static const char *get(void) {
  FILE *file = fopen(path, "rb");
  size_t bytes = file ? fread(text, 1, sizeof text - 1, file) : 0;
  if (file)
    fclose(file);
  text[bytes] = 0;
  return text;
}

static heed_metrics *open_at(int64_t step) {
  heed_metrics *metrics = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_metrics_open(&metrics, path, step), HEED_OK);
  return metrics;
}

static const heed_metrics_record record = {.step = 10,
                                           .loss = 10.1 / 3,
                                           .learning_rate = 5e-4 / 7,
                                           .gradient_norm = 1.0000000000000002,
                                           .tokens = 81920,
                                           .skipped = 2,
                                           .spikes = 1,
                                           .rollbacks = 3,
                                           .tokens_per_second = 12345.6789,
                                           .seconds = 3.00049,
                                           .passes = 0.12345678,
                                           .shares = 0.25,
                                           .wait = 0.001,
                                           .update = 0.02,
                                           .gather = 0.0000004};

static heed_status evaluate(heed_metrics *metrics, int64_t step, double loss, double accuracy) {
  return heed_metrics_evaluation(metrics,
                                 &(heed_metrics_evaluation_record){.step = step, .loss = loss, .accuracy = accuracy, .bits_per_byte = NAN});
}

/* jansson is the reference: each line is one JSON object with exactly the contract's keys and the same numbers. */
static void lines_are_json_that_reads_back(void) {
  unlink(path);
  heed_metrics *metrics = open_at(0);
  CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_OK);
  CU_ASSERT_EQUAL(evaluate(metrics, 10, 1e-320, 0.1), HEED_OK);
  heed_metrics_close(metrics);
  char *line = (char *)get(), *second = strchr(line, '\n') + 1;
  json_t *step = json_loadb(line, (size_t)(second - line), 0, NULL), *evaluation = json_loads(second, 0, NULL);
  CU_ASSERT_EQUAL(json_object_size(step), 11);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(step, "skipped")), 2);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(step, "spikes")), 1);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(step, "rollbacks")), 3);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(step, "step")), 10);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(step, "tokens")), 81920);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(step, "loss")), record.loss);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(step, "learning_rate")), record.learning_rate);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(step, "grad_norm")), record.gradient_norm);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(step, "tokens_per_second")), 12345.679);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(step, "seconds")), 3.0);
  json_t *timeline = json_object_get(step, "timeline");
  CU_ASSERT_EQUAL(json_object_size(timeline), 5);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(timeline, "passes")), 0.123457);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(timeline, "shares")), 0.25);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(timeline, "wait")), 0.001);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(timeline, "update")), 0.02);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(timeline, "gather")), 0);
  CU_ASSERT_EQUAL(json_object_size(evaluation), 3);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(evaluation, "validation_loss")), 1e-320);
  CU_ASSERT_EQUAL(json_number_value(json_object_get(evaluation, "validation_accuracy")), 0.1);
  json_decref(step);
  json_decref(evaluation);
}

static void what_is_not_finite_is_null(void) {
  unlink(path);
  heed_metrics *metrics = open_at(0);
  heed_metrics_record bad = record;
  bad.loss = NAN;
  bad.gradient_norm = -INFINITY;
  bad.tokens_per_second = INFINITY;
  CU_ASSERT_EQUAL(heed_metrics_step(metrics, &bad), HEED_OK);
  heed_metrics_close(metrics);
  json_t *line = json_loads(get(), 0, NULL);
  CU_ASSERT(json_is_null(json_object_get(line, "loss")));
  CU_ASSERT(json_is_null(json_object_get(line, "grad_norm")));
  CU_ASSERT(json_is_null(json_object_get(line, "tokens_per_second")));
  json_decref(line);
  heed_metrics_history history;
  CU_ASSERT_EQUAL(heed_metrics_read(path, &history), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(history.count, 1);
  CU_ASSERT(isnan(history.lines[0].loss) && isnan(history.lines[0].validation_loss) &&
            history.lines[0].learning_rate == record.learning_rate);
  heed_metrics_history_free(&history);
}

/* Steps 10, 20, 30 and an evaluation at 20. */
static void put_run(void) {
  unlink(path);
  heed_metrics *metrics = open_at(0);
  heed_metrics_record next = record;
  for (next.step = 10; next.step <= 30; next.step += 10) {
    CU_ASSERT_EQUAL(heed_metrics_step(metrics, &next), HEED_OK);
    if (next.step == 20)
      CU_ASSERT_EQUAL(evaluate(metrics, 20, 2.5, 0.25), HEED_OK);
  }
  heed_metrics_close(metrics);
}

static void resume_cuts_back(void) {
  put_run();
  heed_metrics_close(open_at(30));
  heed_metrics_history history;
  CU_ASSERT_EQUAL(heed_metrics_read(path, &history), HEED_OK);
  CU_ASSERT_EQUAL(history.count, 4);
  heed_metrics_history_free(&history);
  heed_metrics *metrics = open_at(20);
  CU_ASSERT_EQUAL(evaluate(metrics, 25, 2.25, 0.5), HEED_OK);
  heed_metrics_close(metrics);
  CU_ASSERT_EQUAL(heed_metrics_read(path, &history), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(history.count, 4);
  CU_ASSERT(history.lines[0].step == 10 && history.lines[1].step == 20 && history.lines[2].step == 20 && history.lines[3].step == 25);
  CU_ASSERT(history.lines[1].loss == record.loss && isnan(history.lines[1].validation_loss));
  CU_ASSERT(history.lines[2].validation_loss == 2.5 && history.lines[2].validation_accuracy == 0.25 && isnan(history.lines[2].loss));
  heed_metrics_history_free(&history);
  heed_metrics_close(open_at(0));
  CU_ASSERT_STRING_EQUAL(get(), "");
}

/* Cut after any byte, as a kill would: what was whole stays, and the next line stands by itself. */
static void unfinished_lines_are_dropped(void) {
  char whole[4096];
  put_run();
  strcpy(whole, get());
  size_t bytes = strlen(whole);
  for (size_t cut = 0; cut <= bytes; cut++) {
    size_t before = cut;
    while (before > 0 && whole[before - 1] != '\n')
      before--;
    put(whole, cut);
    heed_metrics *metrics = open_at(30);
    CU_ASSERT_EQUAL(evaluate(metrics, 30, 1, 1), HEED_OK);
    heed_metrics_close(metrics);
    const char *now = get();
    CU_ASSERT_EQUAL(strncmp(now, whole, before), 0);
    CU_ASSERT_STRING_EQUAL(now + before, "{\"step\": 30, \"validation_loss\": 1, \"validation_accuracy\": 1}\n");
  }
}

/* One bad line costs that line, not the history behind it. */
static void strange_lines_cost_themselves_only(void) {
  static const char content[] = "{\"step\": 1, \"loss\": 3}\nnot json\n\n\0\0\0\n[1, 2]\n{\"step\": \"2\"}\n{\"loss\": 1}\n"
                                "{\"step\": 2, \"loss\": \"x\"}\n{\"step\": 3, \"loss\": 2}\n";
  heed_metrics_history history;
  put(content, sizeof content - 1);
  CU_ASSERT_EQUAL(heed_metrics_read(path, &history), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(history.count, 3);
  CU_ASSERT(history.lines[0].loss == 3 && isnan(history.lines[1].loss) && history.lines[2].loss == 2);
  heed_metrics_history_free(&history);
  heed_metrics_close(open_at(9));
  CU_ASSERT_STRING_EQUAL(get(), "{\"step\": 1, \"loss\": 3}\n{\"step\": 2, \"loss\": \"x\"}\n{\"step\": 3, \"loss\": 2}\n");
}

static void missing_and_unreadable_files(void) {
  heed_metrics_history history = {.count = 7};
  unlink(path);
  CU_ASSERT_EQUAL(heed_metrics_read(path, &history), HEED_OK);
  CU_ASSERT_EQUAL(history.count, 0);
  heed_metrics_history_free(&history);
  heed_metrics *metrics;
  CU_ASSERT_EQUAL(heed_metrics_open(&metrics, folder, 0), HEED_IO); /* a folder opens, but does not read */
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), folder));
  CU_ASSERT_EQUAL(heed_metrics_read(folder, &history), HEED_IO);
  CU_ASSERT_EQUAL(heed_metrics_open(&metrics, "/dev/zero", 0), HEED_INVALID); /* would be read for ever */
  CU_ASSERT_EQUAL(heed_metrics_open(&metrics, "/no/such/folder/metrics.jsonl", 0), HEED_IO);
}

/* A limit on the file's size makes the write short, as a full disk does: nothing of the line stays. */
static void a_full_disk_leaves_whole_lines(void) {
  unlink(path);
  heed_metrics *metrics = open_at(0);
  CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_OK);
  char before[1024];
  strcpy(before, get());
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old, limit;
  getrlimit(RLIMIT_FSIZE, &old);
  limit = (struct rlimit){.rlim_cur = strlen(before) + 20, .rlim_max = old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_IO);
  setrlimit(RLIMIT_FSIZE, &old);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), path));
  CU_ASSERT_STRING_EQUAL(get(), before);
  CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_OK);
  CU_ASSERT_EQUAL(strlen(get()), 2 * strlen(before));
  heed_metrics_close(metrics);
}

/* What the file says of a line and what the run keeps in memory are the same numbers. */
static void same_line(const heed_metrics_line *a, const heed_metrics_line *b) {
  CU_ASSERT_EQUAL_FATAL(a->layers * a->heads, b->layers * b->heads);
  for (int64_t i = 0; i < a->layers * a->heads; i++)
    CU_ASSERT(memcmp(&a->head_entropy[i], &b->head_entropy[i], sizeof(double)) == 0 ||
              (isnan(a->head_entropy[i]) && isnan(b->head_entropy[i])));
  CU_ASSERT(a->step == b->step && a->evaluation == b->evaluation && a->tokens == b->tokens);
  const double x[] = {a->loss, a->seconds, a->validation_loss, a->bits_per_byte},
               y[] = {b->loss, b->seconds, b->validation_loss, b->bits_per_byte};
  for (int i = 0; i < 4; i++)
    CU_ASSERT(x[i] == y[i] || (isnan(x[i]) && isnan(y[i])));
}

static void entropies_and_bits_read_back(void) {
  const double entropy[6] = {1.0 / 3, 0, 2.5, NAN, 1e-9, 3};
  heed_metrics_evaluation_record evaluation = {
      .step = 20, .loss = 2, .accuracy = 0.5, .bits_per_byte = 1.0 / 7, .head_entropy = entropy, .layers = 2, .heads = 3};
  unlink(path);
  heed_metrics *metrics = open_at(0);
  CU_ASSERT_EQUAL(heed_metrics_step(metrics, &record), HEED_OK);
  CU_ASSERT_EQUAL(heed_metrics_evaluation(metrics, &evaluation), HEED_OK);
  json_t *line = json_loads(strchr(get(), '\n') + 1, 0, NULL);
  CU_ASSERT_EQUAL(json_object_size(line), 5);
  json_t *rows = json_object_get(line, "head_entropy");
  CU_ASSERT(json_array_size(rows) == 2 && json_array_size(json_array_get(rows, 0)) == 3);
  CU_ASSERT_EQUAL(json_number_value(json_array_get(json_array_get(rows, 1), 2)), 3);
  CU_ASSERT(json_is_null(json_array_get(json_array_get(rows, 1), 0)));
  json_decref(line);

  heed_metrics_history history;
  const heed_metrics_history *kept = heed_metrics_so_far(metrics);
  CU_ASSERT_EQUAL(heed_metrics_read(path, &history), HEED_OK);
  CU_ASSERT_FATAL(history.count == 2 && kept->count == 2);
  for (int i = 0; i < 2; i++)
    same_line(&history.lines[i], &kept->lines[i]);
  CU_ASSERT(history.lines[1].evaluation && history.lines[1].head_entropy[2] == 2.5 && history.lines[1].bits_per_byte == 1.0 / 7);
  heed_metrics_history_free(&history);
  heed_metrics_close(metrics);
  metrics = open_at(10);
  CU_ASSERT_EQUAL(heed_metrics_so_far(metrics)->count, 1); /* cut back in memory too */
  heed_metrics_close(metrics);
}

/* A file that somebody changed: a map that is none costs itself only. */
static void strange_maps_are_passed_over(void) {
  static const char *const maps[] = {"[]", "[[]]", "[[1, 2], [3]]", "3", "[1, 2]", "[[1], 2]", "{\"a\": 1}"};
  char content[128];
  for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
    heed_metrics_history history;
    snprintf(content, sizeof content, "{\"step\": 1, \"validation_loss\": 2, \"head_entropy\": %s}\n", maps[i]);
    put(content, strlen(content));
    CU_ASSERT_EQUAL(heed_metrics_read(path, &history), HEED_OK);
    CU_ASSERT_FATAL(history.count == 1);
    CU_ASSERT(history.lines[0].head_entropy == NULL && history.lines[0].validation_loss == 2);
    heed_metrics_history_free(&history);
  }
}

/* 30 seconds, then a resumed run that had made 10 more. */
static void time_goes_on_over_starts(void) {
  const double seconds[] = {10, 30, NAN, 4, 10}, expected[] = {10, 30, 30, 34, 40};
  heed_training_time clock = {0};
  for (int i = 0; i < 5; i++)
    CU_ASSERT_EQUAL(heed_training_time_at(&clock, &(heed_metrics_line){.seconds = seconds[i]}), expected[i]);
}

static void begin(void) {
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/metrics.jsonl", folder);
}

/* Lines go into the run's folder, not where a link leads. */
static void links_are_not_followed(void) {
  heed_metrics *metrics = NULL;
  char target[80];
  snprintf(target, sizeof target, "%s/elsewhere", folder);
  unlink(path);
  CU_ASSERT_EQUAL_FATAL(symlink(target, path), 0);
  CU_ASSERT_EQUAL(heed_metrics_open(&metrics, path, 0), HEED_IO);
  CU_ASSERT_PTR_NULL(metrics);
  CU_ASSERT_NOT_EQUAL(access(target, F_OK), 0);
}

static void end(void) {
  unlink(path);
  CU_ASSERT_EQUAL(rmdir(folder), 0); /* and nothing else was left there */
}

HEED_TESTS({"begin", begin}, {"lines are JSON that reads back", lines_are_json_that_reads_back},
           {"what is not finite is null", what_is_not_finite_is_null}, {"resume cuts back", resume_cuts_back},
           {"links are not followed", links_are_not_followed}, {"unfinished lines are dropped", unfinished_lines_are_dropped},
           {"strange lines cost themselves only", strange_lines_cost_themselves_only},
           {"missing and unreadable files", missing_and_unreadable_files},
           {"a full disk leaves whole lines", a_full_disk_leaves_whole_lines},
           {"entropies and bits read back", entropies_and_bits_read_back}, {"strange maps are passed over", strange_maps_are_passed_over},
           {"time goes on over starts", time_goes_on_over_starts}, {"end", end})
