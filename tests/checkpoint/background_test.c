/* Saves that go on while the tensors change. */
#include <time.h>

#include "fixture.h"

static void begin(const fixture *f, heed_checkpoint_store *store, int64_t step) {
  CU_ASSERT_EQUAL_FATAL(fixture_save_by(f, store, step, NAN, heed_checkpoint_begin), HEED_OK);
  CU_ASSERT_TRUE(heed_checkpoint_is_begun(store));
}

static heed_status end(heed_checkpoint_store *store, int64_t expected) {
  int64_t step;
  heed_status status = heed_checkpoint_end(store, &step);
  CU_ASSERT_EQUAL(step, expected);
  CU_ASSERT_FALSE(heed_checkpoint_is_begun(store));
  CU_ASSERT_FALSE(heed_checkpoint_is_written(store));
  return status;
}

/* What is saved is what the tensors were when it began. */
static void saves_what_was_there_when_it_began(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 3);
  for (int64_t step = 1; step <= 3; step++) {
    begin(&f, store, step);
    fixture_fill(&f, 99);
    CU_ASSERT_EQUAL(end(store, step), HEED_OK);
    CU_ASSERT_EQUAL(fixture_newest(&f, store), step);
    CU_ASSERT_TRUE(fixture_holds(&f, fixture_path(&f, step, ""), step));
  }
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

/* The same bytes as a save that is waited for. */
static void writes_the_same_file(void) {
  fixture f;
  fixture_open(&f);
  size_t bytes[2];
  char *data[2];
  heed_checkpoint_store *store = fixture_store(&f, 3);
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 7, NAN), HEED_OK);
  data[0] = file_read(fixture_path(&f, 7, "state.h5"), &bytes[0]);
  begin(&f, store, 7);
  CU_ASSERT_EQUAL(end(store, 7), HEED_OK);
  data[1] = file_read(fixture_path(&f, 7, "state.h5"), &bytes[1]);
  CU_ASSERT(bytes[0] == bytes[1] && memcmp(data[0], data[1], bytes[0]) == 0);
  free(data[0]);
  free(data[1]);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

static void tells_when_it_is_written(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 3);
  CU_ASSERT_FALSE(heed_checkpoint_is_begun(store));
  begin(&f, store, 4);
  for (int tenths = 0; tenths < 300 && !heed_checkpoint_is_written(store); tenths++)
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
  CU_ASSERT_TRUE(heed_checkpoint_is_written(store));
  CU_ASSERT_EQUAL(access(fixture_path(&f, 4, ""), F_OK), -1); /* it has its name when all agree */
  CU_ASSERT_EQUAL(end(store, 4), HEED_OK);
  CU_ASSERT_EQUAL(access(fixture_path(&f, 4, ""), F_OK), 0);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

/* Whatever goes wrong meanwhile is told at the end, with its text, and leaves the earlier checkpoint and nothing else. */
static void what_fails_is_told_at_the_end(void) {
  static const char *const places[] = {"save.folder",    "save.create",   "save.texts", "save.piece:3", "save.sync",
                                       "save.read_back", "save.manifest", "save.agree", "save.rename",  "save.parent_sync"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    fixture f;
    char failpoint[64];
    fixture_open(&f);
    heed_checkpoint_store *store = fixture_store(&f, 3);
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 1, NAN), HEED_OK);
    snprintf(failpoint, sizeof failpoint, "%s%s:error", places[i], strchr(places[i], ':') ? "" : ":1");
    heed_failpoint_set(failpoint);
    begin(&f, store, 2);
    CU_ASSERT_EQUAL(end(store, 2), HEED_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "step-00000002 was not saved (earlier checkpoints are untouched)"));
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "failpoint save."));
    heed_failpoint_set(NULL);
    CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
    CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
    begin(&f, store, 3);
    CU_ASSERT_EQUAL(end(store, 3), HEED_OK);
    heed_checkpoint_store_close(store);
    fixture_close(&f);
  }
}

static heed_status not_sound(void *asked) {
  ++*(int *)asked;
  return heed_error(HEED_FAILED, "a bit flipped");
}

/* Tensors that changed while they were read: a save of either kind asks once, and leaves nothing. */
static void what_is_not_sound_is_not_saved(void) {
  fixture_saver *const savers[] = {heed_checkpoint_save, heed_checkpoint_begin};
  for (size_t i = 0; i < sizeof savers / sizeof *savers; i++) {
    fixture f;
    int asked = 0;
    fixture_open(&f);
    heed_checkpoint_store *store = fixture_store(&f, 3);
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 1, NAN), HEED_OK);
    f.tensors.are_sound = not_sound;
    f.tensors.context = &asked;
    CU_ASSERT_EQUAL(fixture_save_by(&f, store, 2, NAN, savers[i]), HEED_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "step-00000002 was not saved (earlier checkpoints are untouched): a bit flipped"));
    CU_ASSERT_FALSE(heed_checkpoint_is_begun(store));
    CU_ASSERT_EQUAL(asked, 1);
    CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
    CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
    heed_checkpoint_store_close(store);
    fixture_close(&f);
  }
}

static void is_taken_back_when_the_store_closes(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 3);
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 1, NAN), HEED_OK);
  begin(&f, store, 2);
  heed_checkpoint_store_close(store);
  CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
  fixture_close(&f);
}

HEED_TESTS({"saves what was there when it began", saves_what_was_there_when_it_began}, {"writes the same file", writes_the_same_file},
           {"tells when it is written", tells_when_it_is_written}, {"what fails is told at the end", what_fails_is_told_at_the_end},
           {"what is not sound is not saved", what_is_not_sound_is_not_saved},
           {"is taken back when the store closes", is_taken_back_when_the_store_closes})
