/* What is damaged, missing or of another kind is told from what was written. */
#include "base/hash.h"
#include "fixture.h"

static void open_with_two(fixture *f, heed_checkpoint_store **store) {
  fixture_open(f);
  *store = fixture_store(f, 3);
  CU_ASSERT_EQUAL_FATAL(fixture_save(f, *store, 1, 7.0), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(fixture_save(f, *store, 2, 6.0), HEED_OK);
}

static void close_with_two(fixture *f, heed_checkpoint_store *store) {
  heed_checkpoint_store_close(store);
  fixture_close(f);
}

/* Whether verify and load refuse it, with a reason that names the checkpoint. */
static bool is_refused(const fixture *f, const char *path) {
  bool refused = heed_checkpoint_verify(path) == HEED_INVALID && strstr(heed_error_text(), path);
  return refused && heed_checkpoint_load(path, &f->tensors, heed_alone()) == HEED_INVALID && strstr(heed_error_text(), path);
}

static void every_truncation_is_seen(void) {
  fixture f;
  heed_checkpoint_store *store;
  open_with_two(&f, &store);
  size_t bytes, seen = 0, made = 0;
  char *folder = strdup(fixture_path(&f, 2, "")), *path = strdup(fixture_path(&f, 2, "state.h5")), *data = file_read(path, &bytes);
  for (size_t length = 0; length < bytes; length += 4096, made++) {
    CU_ASSERT_EQUAL_FATAL(truncate(path, (off_t)length), 0);
    seen += is_refused(&f, folder);
    file_write(path, data, bytes);
  }
  file_write(path, data, bytes - 1);
  CU_ASSERT_TRUE(is_refused(&f, folder));
  data[bytes] = 0; /* longer by a byte */
  file_write(path, data, bytes + 1);
  CU_ASSERT_TRUE(is_refused(&f, folder));
  CU_ASSERT_EQUAL(seen, made);
  CU_ASSERT_TRUE(made > 10);
  file_write(path, data, bytes);
  CU_ASSERT_EQUAL(heed_checkpoint_verify(folder), HEED_OK);
  free(data);
  free(path);
  free(folder);
  close_with_two(&f, store);
}

static void flipped_bits_of_the_state_are_seen(void) {
  fixture f;
  heed_checkpoint_store *store;
  open_with_two(&f, &store);
  size_t bytes, seen = 0, flips = 400;
  char *folder = strdup(fixture_path(&f, 2, "")), *path = strdup(fixture_path(&f, 2, "state.h5")), *data = file_read(path, &bytes);
  int file = open(path, O_WRONLY);
  for (size_t i = 0; i < flips; i++) {
    uint64_t draw = heed_hash(&i, sizeof i);
    off_t at = (off_t)(draw % bytes);
    char flipped = (char)(data[at] ^ (1 << (draw >> 60 & 7)));
    CU_ASSERT_EQUAL(pwrite(file, &flipped, 1, at), 1);
    seen += is_refused(&f, folder);
    CU_ASSERT_EQUAL(pwrite(file, &data[at], 1, at), 1);
  }
  close(file);
  CU_ASSERT_EQUAL(seen, flips);
  CU_ASSERT_EQUAL(heed_checkpoint_verify(folder), HEED_OK);
  free(data);
  free(path);
  free(folder);
  close_with_two(&f, store);
}

static void every_flipped_bit_of_the_manifest_is_seen(void) {
  fixture f;
  heed_checkpoint_store *store;
  open_with_two(&f, &store);
  size_t bytes, seen = 0;
  char *folder = strdup(fixture_path(&f, 2, "")), *path = strdup(fixture_path(&f, 2, "MANIFEST")), *data = file_read(path, &bytes);
  int file = open(path, O_WRONLY);
  for (size_t bit = 0; bit < 8 * bytes; bit++) {
    char flipped = (char)(data[bit / 8] ^ (1 << (bit % 8)));
    CU_ASSERT_EQUAL(pwrite(file, &flipped, 1, (off_t)(bit / 8)), 1);
    seen += heed_checkpoint_verify(folder) == HEED_INVALID;
    CU_ASSERT_EQUAL(pwrite(file, &data[bit / 8], 1, (off_t)(bit / 8)), 1);
  }
  close(file);
  CU_ASSERT_EQUAL(seen, 8 * bytes);
  size_t cut = 0;
  for (size_t length = 0; length < bytes; length++) {
    file_write(path, data, length);
    cut += heed_checkpoint_verify(folder) == HEED_INVALID;
  }
  CU_ASSERT_EQUAL(cut, bytes);
  free(data);
  free(path);
  free(folder);
  close_with_two(&f, store);
}

static void what_is_missing_or_of_another_kind_is_refused(void) {
  static const char *const names[] = {"state.h5", "MANIFEST"};
  for (int which = 0; which < 2; which++)
    for (int kind = 0; kind < 4; kind++) {
      fixture f;
      heed_checkpoint_store *store;
      open_with_two(&f, &store);
      char *folder = strdup(fixture_path(&f, 2, "")), *path = strdup(fixture_path(&f, 2, names[which])), moved[PATH_MAX];
      snprintf(moved, sizeof moved, "%s.moved", path);
      CU_ASSERT_EQUAL(rename(path, moved), 0);
      if (kind == 1)
        CU_ASSERT_EQUAL(symlink(moved, path), 0); /* the right content, but by a link */
      if (kind == 2)
        CU_ASSERT_EQUAL(mkfifo(path, 0644), 0);
      if (kind == 3)
        CU_ASSERT_EQUAL(mkdir(path, 0755), 0);
      CU_ASSERT_TRUE(is_refused(&f, folder));
      CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
      free(path);
      free(folder);
      close_with_two(&f, store);
    }
}

/* The newest that is good is taken; nothing good is told apart from nothing there. */
static void the_newest_good_one_is_taken(void) {
  fixture f;
  heed_checkpoint_store *store;
  open_with_two(&f, &store);
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 3, 5.0), HEED_OK);
  CU_ASSERT_EQUAL(truncate(fixture_path(&f, 3, "state.h5"), 5000), 0);
  CU_ASSERT_EQUAL(unlink(fixture_path(&f, 2, "MANIFEST")), 0);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
  CU_ASSERT_TRUE(fixture_holds(&f, f.run, 1));
  CU_ASSERT_EQUAL(truncate(fixture_path(&f, 1, "MANIFEST"), 0), 0);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), -1);
  CU_ASSERT_FALSE(heed_checkpoint_store_is_empty(store));
  heed_checkpoint_info info;
  CU_ASSERT_EQUAL(heed_checkpoint_read_info(f.run, &info, NULL), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "no good checkpoint"));
  CU_ASSERT_EQUAL(fixture_save(&f, store, 3, 5.0), HEED_OK); /* over the damaged one */
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 3);
  close_with_two(&f, store);
}

static void another_model_is_refused_by_name(void) {
  fixture f;
  heed_checkpoint_store *store;
  open_with_two(&f, &store);
  f.table.items[2].shape[0] = 67; /* transposed: the same count */
  f.table.items[2].shape[1] = 70;
  CU_ASSERT_EQUAL(heed_checkpoint_load(f.run, &f.tensors, heed_alone()), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "bert.encoder.layer.0.output.dense.weight"));
  f.table.items[2].shape[0] = 70;
  f.table.items[2].shape[1] = 67;
  strcpy(f.table.items[1].name, "bert.other");
  CU_ASSERT_EQUAL(heed_checkpoint_load(f.run, &f.tensors, heed_alone()), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/parameters/bert.other is missing"));
  strcpy(f.table.items[1].name, "bert.bias");
  f.tensors.moment_names[1] = "w";
  CU_ASSERT_EQUAL(heed_checkpoint_load(f.run, &f.tensors, heed_alone()), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "/optimizer/w/"));
  close_with_two(&f, store);
}

static void weights_alone_are_loaded(void) {
  fixture f;
  heed_checkpoint_store *store;
  open_with_two(&f, &store);
  heed_checkpoint_tensors weights = {.table = &f.table, .parameters = calloc((size_t)f.table.total, sizeof(float))};
  CU_ASSERT_EQUAL(heed_checkpoint_load(f.run, &weights, heed_alone()), HEED_OK);
  fixture_fill(&f, 2);
  CU_ASSERT_EQUAL(memcmp(weights.parameters, f.tensors.parameters, (size_t)f.table.total * sizeof(float)), 0);
  free(weights.parameters);
  close_with_two(&f, store);
}

static void paths_that_lead_nowhere_are_refused(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_info info;
  CU_ASSERT_EQUAL(heed_checkpoint_read_info("/nonexistent/run", &info, NULL), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_checkpoint_read_info("/dev/null", &info, NULL), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_checkpoint_read_info("", &info, NULL), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_checkpoint_read_info(f.folder, &info, NULL), HEED_INVALID);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "neither a checkpoint"));
  fixture_close(&f);
}

static void a_failing_read_is_told(void) {
  fixture f;
  heed_checkpoint_store *store;
  open_with_two(&f, &store);
  heed_failpoint_set("load.piece:7:error");
  CU_ASSERT_EQUAL(heed_checkpoint_load(f.run, &f.tensors, heed_alone()), HEED_IO);
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "step-00000002"));
  heed_failpoint_set(NULL);
  close_with_two(&f, store);
}

HEED_TESTS({"every truncation is seen", every_truncation_is_seen},
           {"flipped bits of state.h5 are seen", flipped_bits_of_the_state_are_seen},
           {"every flipped bit of MANIFEST is seen", every_flipped_bit_of_the_manifest_is_seen},
           {"missing files, links, FIFOs and folders are refused", what_is_missing_or_of_another_kind_is_refused},
           {"the newest good one is taken", the_newest_good_one_is_taken},
           {"another model is refused by name", another_model_is_refused_by_name}, {"weights alone are loaded", weights_alone_are_loaded},
           {"paths that lead nowhere are refused", paths_that_lead_nowhere_are_refused}, {"a failing read is told", a_failing_read_is_told})
