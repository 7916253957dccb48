#include <signal.h>
#include <sys/resource.h>

#include "fixture.h"

static void round_trip_bit_for_bit(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 3);
  CU_ASSERT_TRUE(heed_checkpoint_store_is_empty(store));
  CU_ASSERT_EQUAL(fixture_newest(&f, store), -1);
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 500, 5.25), HEED_OK);
  CU_ASSERT_FALSE(heed_checkpoint_store_is_empty(store));
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 500);
  heed_checkpoint_info info;
  char *resolved;
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_read_info(f.run, &info, &resolved), HEED_OK);
  CU_ASSERT_EQUAL(info.step, 500);
  CU_ASSERT_EQUAL(info.updates, 499);
  CU_ASSERT_EQUAL(info.data_position, 502);
  CU_ASSERT_EQUAL(info.samples_seen, 32000);
  CU_ASSERT_EQUAL(info.seed, 4000000000u);
  CU_ASSERT_TRUE(info.cased);
  CU_ASSERT_EQUAL(info.validation_loss, 5.25);
  CU_ASSERT_STRING_EQUAL(info.isa, "x86-64-v4");
  CU_ASSERT_STRING_EQUAL(info.blas, "SkylakeX");
  CU_ASSERT_STRING_EQUAL(info.config, "run:\n  name: ünïcode\n");
  CU_ASSERT_STRING_EQUAL(info.vocabulary, "[PAD]\n[UNK]\nword\n");
  CU_ASSERT_STRING_EQUAL(resolved, fixture_path(&f, 500, ""));
  CU_ASSERT_TRUE(fixture_holds(&f, f.run, 500));
  CU_ASSERT_EQUAL(heed_checkpoint_verify(resolved), HEED_OK);
  free(resolved);
  heed_checkpoint_info_free(&info);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

static void same_state_same_bytes(void) {
  fixture f;
  fixture_open(&f);
  size_t bytes[2];
  char *data[2];
  for (int i = 0; i < 2; i++) { /* the second over the first, a second later by the clock of files */
    heed_checkpoint_store *store = fixture_store(&f, 3);
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 7, NAN), HEED_OK);
    heed_checkpoint_store_close(store);
    data[i] = file_read(fixture_path(&f, 7, "state.h5"), &bytes[i]);
    if (i == 0)
      sleep(1);
  }
  CU_ASSERT_EQUAL(bytes[0], bytes[1]);
  CU_ASSERT_EQUAL(memcmp(data[0], data[1], bytes[0]), 0);
  CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
  free(data[0]);
  free(data[1]);
  fixture_close(&f);
}

static void other_tools_read_it(void) {
  fixture f;
  fixture_open(&f);
  if (system("command -v h5dump >/dev/null 2>&1") == 0) {
    heed_checkpoint_store *store = fixture_store(&f, 3);
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 12, 3.5), HEED_OK);
    heed_checkpoint_store_close(store);
    char command[PATH_MAX + 256], text[65536] = "";
    snprintf(command, sizeof command,
             "h5dump -p -d /config -d /optimizer/v/four -d /parameters/bert.bias -a step -a isa -a validation_loss %s",
             fixture_path(&f, 12, "state.h5"));
    FILE *pipe = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(pipe);
    CU_ASSERT_TRUE(fread(text, 1, sizeof text - 1, pipe) > 0);
    CU_ASSERT_EQUAL(pclose(pipe), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "run:"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "( 2, 3, 2, 5 )"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "H5T_IEEE_F32LE"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "CONTIGUOUS"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "(0): 12"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "(0): 3.5"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "x86-64-v4"));
  }
  fixture_close(&f);
}

/* A save in which one step fails says so, leaves nothing of itself, and the next one works. */
static void every_step_may_fail(void) {
  for (int place = 0; place < HEED_AT_LOAD_PIECE; place++) {
    fixture f;
    fixture_open(&f);
    heed_checkpoint_store *store = fixture_store(&f, 2);
    for (int64_t step = 1; step <= 2; step++)
      CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, step, 9.0 - (double)step), HEED_OK);
    bool after_commit = place == HEED_AT_SAVE_RETIRE || place == HEED_AT_SAVE_UNLINK;
    char spec[64];
    snprintf(spec, sizeof spec, "%s:1:error", heed_failpoint_names[place]);
    heed_failpoint_set(spec);
    heed_status status = fixture_save(&f, store, 3, 5.0);
    heed_failpoint_set(NULL);
    CU_ASSERT_EQUAL(status, after_commit ? HEED_OK : HEED_IO);
    if (!after_commit) {
      CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), heed_failpoint_names[place]));
      CU_ASSERT_EQUAL(fixture_count(&f, ""), 2);
    }
    CU_ASSERT_EQUAL(fixture_newest(&f, store), after_commit ? 3 : 2);
    CU_ASSERT_EQUAL(fixture_save(&f, store, 4, 4.0), HEED_OK);
    CU_ASSERT_EQUAL(fixture_newest(&f, store), 4);
    heed_checkpoint_store_close(store);
    store = fixture_store(&f, 2);
    CU_ASSERT_EQUAL(fixture_count(&f, "."), 0); /* what an unfinished retirement left */
    heed_checkpoint_store_close(store);
    fixture_close(&f);
  }
}

/* The same over a checkpoint of the same step: what was there comes back. */
static void a_failed_replacement_is_undone(void) {
  for (int place = HEED_AT_SAVE_FOLDER; place <= HEED_AT_SAVE_PARENT_SYNC; place++) {
    fixture f;
    fixture_open(&f);
    heed_checkpoint_store *store = fixture_store(&f, 2);
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 1, 7.0), HEED_OK);
    char spec[64];
    snprintf(spec, sizeof spec, "%s:1:error", heed_failpoint_names[place]);
    heed_failpoint_set(spec);
    CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 6.0), HEED_IO);
    heed_checkpoint_info info;
    CU_ASSERT_EQUAL_FATAL(heed_checkpoint_read_info(f.run, &info, NULL), HEED_OK);
    CU_ASSERT_EQUAL(info.validation_loss, 7.0);
    heed_checkpoint_info_free(&info);
    CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 6.0), HEED_OK);
    CU_ASSERT_EQUAL_FATAL(heed_checkpoint_read_info(f.run, &info, NULL), HEED_OK);
    CU_ASSERT_EQUAL(info.validation_loss, 6.0);
    heed_checkpoint_info_free(&info);
    CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
    heed_checkpoint_store_close(store);
    fixture_close(&f);
  }
}

static void save_and_die(const fixture *f, const void *spec) {
  heed_failpoint_set(spec);
  heed_checkpoint_store *store = fixture_store(f, 2);
  fixture_save(f, store, 3, 5.0);
}

/* Killed at every step of a save: the run goes on from the old checkpoint or the new one, whole. */
static void every_step_may_be_the_last(void) {
  int killed = 0, passings[HEED_AT_LOAD_PIECE] = {[HEED_AT_SAVE_PIECE] = 12, [HEED_AT_SAVE_WINDOW] = 7};
  for (int place = 0; place < HEED_AT_LOAD_PIECE; place++)
    for (int passing = 1; passing <= (passings[place] ? passings[place] : 1); passing++) {
      fixture f;
      fixture_open(&f);
      f.file_bytes = place == HEED_AT_SAVE_WINDOW ? 10000 : 0; /* seven files */
      heed_checkpoint_store *store = fixture_store(&f, 2);
      for (int64_t step = 1; step <= 2; step++)
        CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, step, 9.0 - (double)step), HEED_OK);
      heed_checkpoint_store_close(store);
      char spec[64];
      snprintf(spec, sizeof spec, "%s:%d", heed_failpoint_names[place], passing);
      int status = in_child(save_and_die, &f, spec);
      CU_ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
      killed += WIFSIGNALED(status);
      store = fixture_store(&f, 2);
      CU_ASSERT_EQUAL(fixture_newest(&f, store), place >= HEED_AT_SAVE_PARENT_SYNC ? 3 : 2);
      CU_ASSERT_EQUAL(fixture_count(&f, "."), 0);
      CU_ASSERT_EQUAL(fixture_save(&f, store, 3, 5.0), HEED_OK);
      CU_ASSERT_EQUAL(fixture_newest(&f, store), 3);
      CU_ASSERT_EQUAL(fixture_count(&f, ""), 2);
      heed_checkpoint_store_close(store);
      fixture_close(&f);
    }
  CU_ASSERT_EQUAL(killed, HEED_AT_LOAD_PIECE + 11 + 6);
}

/* A disk that is full after `limit` bytes: a real failing write at each part of the file. */
static void save_on_full_disk(const fixture *f, const void *limit) {
  heed_checkpoint_store *store = fixture_store(f, 2);
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit most = {.rlim_cur = *(const rlim_t *)limit, .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_FSIZE, &most);
  heed_status status = fixture_save(f, store, 3, 5.0);
  bool said = strstr(heed_error_text(), "File too large") || strstr(heed_error_text(), "could not be written");
  most.rlim_cur = RLIM_INFINITY;
  setrlimit(RLIMIT_FSIZE, &most);
  if (status != HEED_IO || !said || fixture_count(f, "") != 2 || fixture_newest(f, store) != 2)
    exit(1);
  exit(fixture_save(f, store, 4, 4.0) == HEED_OK ? 0 : 2); /* exit: what libraries do at the end must survive too */
}

static void a_full_disk_loses_nothing(void) {
  const rlim_t limits[] = {0, 100, 2048, 4096, 20000, 60000};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    fixture f;
    fixture_open(&f);
    heed_checkpoint_store *store = fixture_store(&f, 2);
    for (int64_t step = 1; step <= 2; step++)
      CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, step, 9.0 - (double)step), HEED_OK);
    heed_checkpoint_store_close(store);
    CU_ASSERT_EQUAL(in_child(save_on_full_disk, &f, &limits[i]), 0);
    fixture_close(&f);
  }
}

/* More than one piece of 64 MiB, and a tensor that lies across the border. */
static void tensors_larger_than_a_piece(void) {
  fixture f;
  fixture_open(&f);
  heed_parameter_table table = {0};
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &(heed_parameter){.name = "large", .rank = 2, .shape = {1000, 16000}}, NULL), HEED_OK);
  CU_ASSERT_EQUAL(heed_parameters_add(&table, &(heed_parameter){.name = "across", .rank = 1, .shape = {1300001}}, NULL), HEED_OK);
  size_t total = (size_t)table.total, bytes = total * sizeof(float);
  float *parameters = malloc(bytes), *moment = malloc(bytes);
  for (size_t i = 0; i < total; i++)
    parameters[i] = (float)(i % 16777213), moment[i] = -(float)(i % 7919);
  heed_checkpoint_tensors tensors = {
      .table = &table, .parameters = parameters, .moments = 1, .moment_names = {"m"}, .moment_shards = {moment}};
  heed_communication *alone = heed_alone();
  int64_t cuts[2] = {0, table.total}, wrong = 0;
  alone->shard(alone, cuts, 2, cuts, 1);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  CU_ASSERT_EQUAL(heed_checkpoint_save(store, &(heed_checkpoint_info){.step = 1, .validation_loss = NAN}, &tensors), HEED_OK);
  memset(parameters, 0, bytes);
  memset(moment, 0, bytes);
  CU_ASSERT_EQUAL(heed_checkpoint_load(f.run, &tensors, alone), HEED_OK);
  for (size_t i = 0; i < total; i++)
    wrong += parameters[i] != (float)(i % 16777213) || moment[i] != -(float)(i % 7919);
  CU_ASSERT_EQUAL(wrong, 0);
  heed_checkpoint_store_close(store);
  free(parameters);
  free(moment);
  heed_parameters_free(&table);
  fixture_close(&f);
}

static void what_cannot_be_stored_is_refused(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  strcpy(f.table.items[1].name, "a/b");
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 1.0), HEED_INVALID);
  strcpy(f.table.items[1].name, "..");
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 1.0), HEED_INVALID);
  strcpy(f.table.items[1].name, "line\nbreak");
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 1.0), HEED_INVALID);
  f.tensors.moments = 7;
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 1.0), HEED_INVALID);
  CU_ASSERT_EQUAL(fixture_count(&f, ""), 0);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

HEED_TESTS({"round trip, bit for bit", round_trip_bit_for_bit}, {"the same state gives the same bytes", same_state_same_bytes},
           {"h5dump reads it", other_tools_read_it}, {"every step may fail", every_step_may_fail},
           {"a failed replacement is undone", a_failed_replacement_is_undone}, {"every step may be the last", every_step_may_be_the_last},
           {"tensors larger than a piece", tensors_larger_than_a_piece}, {"a full disk loses nothing", a_full_disk_loses_nothing},
           {"what cannot be stored is refused", what_cannot_be_stored_is_refused})
