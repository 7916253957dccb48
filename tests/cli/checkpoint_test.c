/* heed checkpoint list|show|verify as a program. */
#include <jansson.h>

#include "checkpoint/fixture.h"

/* Runs heed with these arguments; \param[out] out its standard output, errors its standard error.  Returns the exit code. */
static int run(const char *arguments, char out[8192], char errors[4096]) {
  char command[3 * PATH_MAX], log[] = "/tmp/heed-cli-XXXXXX";
  close(mkstemp(log));
  snprintf(command, sizeof command, "'%s' %s 2>%s", HEED_PROGRAM, arguments, log);
  FILE *pipe = popen(command, "r");
  out[fread(out, 1, 8191, pipe)] = 0;
  int status = pclose(pipe);
  FILE *file = fopen(log, "r");
  errors[fread(errors, 1, 4095, file)] = 0;
  fclose(file);
  unlink(log);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char out[8192], errors[4096], arguments[2 * PATH_MAX];

static int run_on(const char *action, const char *path, const char *options) {
  snprintf(arguments, sizeof arguments, "checkpoint %s %s %s", action, path, options);
  return run(arguments, out, errors);
}

static void make_run(fixture *f) {
  fixture_open(f);
  heed_checkpoint_store *store = fixture_store(f, 3);
  const double losses[] = {NAN, 4.0, 5.0};
  for (int64_t step = 0; step < 3; step++)
    CU_ASSERT_EQUAL_FATAL(fixture_save(f, store, step, losses[step]), HEED_OK);
  heed_checkpoint_store_close(store);
}

static void lists_what_is_there(void) {
  fixture f;
  make_run(&f);
  CU_ASSERT_EQUAL(run_on("list", f.run, ""), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(out, "good, newest"));
  CU_ASSERT_PTR_NOT_NULL(strstr(out, "good, best"));
  CU_ASSERT_STRING_EQUAL(errors, "");
  CU_ASSERT_EQUAL(truncate(fixture_path(&f, 2, "state.h5"), 3000), 0);
  CU_ASSERT_EQUAL(run_on("list", f.run, "--json"), 0);
  json_t *object = json_loads(out, 0, NULL), *all = json_object_get(object, "checkpoints"), *newest = json_array_get(all, 0);
  CU_ASSERT_EQUAL(json_array_size(all), 3);
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(newest, "step")), 2);
  CU_ASSERT_TRUE(json_is_false(json_object_get(newest, "good")));
  CU_ASSERT_PTR_NOT_NULL(strstr(json_string_value(json_object_get(newest, "reason")), "3000 bytes"));
  json_t *middle = json_array_get(all, 1), *oldest = json_array_get(all, 2);
  CU_ASSERT_TRUE(json_is_true(json_object_get(middle, "newest")));
  CU_ASSERT_TRUE(json_is_true(json_object_get(middle, "best")));
  CU_ASSERT_EQUAL(json_real_value(json_object_get(middle, "validation_loss")), 4.0);
  CU_ASSERT_TRUE(json_is_null(json_object_get(oldest, "validation_loss")));
  json_decref(object);
  fixture_close(&f);
}

static void shows_one(void) {
  fixture f;
  make_run(&f);
  CU_ASSERT_EQUAL(run_on("show", f.run, ""), 0);
  CU_ASSERT_PTR_NOT_NULL(strstr(out, "30 x 17"));
  CU_ASSERT_EQUAL(run_on("show", fixture_path(&f, 1, ""), "--json"), 0);
  json_t *object = json_loads(out, 0, NULL), *tensors = json_object_get(object, "tensors");
  CU_ASSERT_EQUAL(json_integer_value(json_object_get(object, "step")), 1);
  CU_ASSERT_EQUAL(json_array_size(tensors), 2 + 3 * 4);
  json_t *last = json_array_get(tensors, 13);
  CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(last, "name")), "/optimizer/v/four");
  CU_ASSERT_EQUAL(json_array_size(json_object_get(last, "shape")), 4);
  CU_ASSERT_TRUE(json_real_value(json_object_get(last, "norm")) > 0);
  json_decref(object);
  fixture_close(&f);
}

static void verifies_every_byte(void) {
  fixture f;
  make_run(&f);
  CU_ASSERT_EQUAL(run_on("verify", f.run, ""), 0);
  CU_ASSERT_EQUAL(run_on("verify", fixture_path(&f, 1, ""), ""), 0);
  size_t bytes;
  char *data = file_read(fixture_path(&f, 1, "state.h5"), &bytes);
  data[bytes / 2] ^= 16;
  file_write(fixture_path(&f, 1, "state.h5"), data, bytes);
  free(data);
  CU_ASSERT_EQUAL(run_on("verify", fixture_path(&f, 1, ""), ""), 65);
  CU_ASSERT_PTR_NOT_NULL(strstr(errors, "damaged"));
  CU_ASSERT_EQUAL(run_on("verify", f.run, "--json"), 65);
  CU_ASSERT_EQUAL(run_on("verify", fixture_path(&f, 2, ""), ""), 0);
  CU_ASSERT_EQUAL(run_on("verify", "/nonexistent", ""), 65);
  CU_ASSERT_PTR_NOT_NULL(strstr(errors, "/nonexistent"));
  fixture_close(&f);
}

/* Of a checkpoint whose manifest is gone or damaged the folder's name still tells which it is. */
static void damaged_ones_keep_their_step(void) {
  fixture f;
  make_run(&f);
  for (int gone = 0; gone <= 1; gone++) {
    if (gone)
      unlink(fixture_path(&f, 1, "MANIFEST"));
    else
      file_write(fixture_path(&f, 1, "MANIFEST"), "nothing", 7);
    CU_ASSERT_EQUAL(run_on("verify", fixture_path(&f, 1, ""), ""), 65);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "\n         1           ?                -  bad: "));
    CU_ASSERT_EQUAL(run_on("verify", fixture_path(&f, 1, "."), "--json"), 65);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"step\": 1,"));
  }
  snprintf(arguments, sizeof arguments, "%s/saved", f.run);
  CU_ASSERT_EQUAL(rename(fixture_path(&f, 1, ""), arguments), 0);
  CU_ASSERT_EQUAL(run_on("verify", f.run, ""), 0);
  snprintf(arguments, sizeof arguments, "checkpoint verify %s/saved", f.run);
  CU_ASSERT_EQUAL(run(arguments, out, errors), 65);
  CU_ASSERT_PTR_NOT_NULL(strstr(out, "\n         ?           ?                -  bad: "));
  fixture_close(&f);
}

static void nonsense_is_a_usage_error(void) {
  CU_ASSERT_EQUAL(run_on("", "", ""), 64);
  CU_ASSERT_EQUAL(run_on("list", "", ""), 64);
  CU_ASSERT_EQUAL(run_on("erase", "/tmp", ""), 64);
  CU_ASSERT_EQUAL(run_on("list", "/tmp", "more"), 64);
  CU_ASSERT_EQUAL(run_on("list", "/tmp", "--nonsense"), 64);
  CU_ASSERT_EQUAL(run_on("--help", "", ""), 0);
}

HEED_TESTS({"lists what is there", lists_what_is_there}, {"shows one", shows_one}, {"verifies every byte", verifies_every_byte},
           {"damaged ones keep their step", damaged_ones_keep_their_step}, {"nonsense is a usage error", nonsense_is_a_usage_error})
