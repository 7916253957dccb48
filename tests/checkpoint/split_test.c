/* States that are divided into several files: along the table, by size. */
#include "checkpoint/manifest.h"
#include "fixture.h"

enum { FILE_BYTES = 10000, FILES = 7 };

static void open_divided(fixture *f) {
  fixture_open(f);
  f->file_bytes = FILE_BYTES;
}

static const char *file_path(const fixture *f, int64_t step, int index) {
  char name[32] = "state.h5";
  if (index > 0)
    snprintf(name, sizeof name, "state-%d.h5", index);
  return fixture_path(f, step, name);
}

/* The table has tensors of 2,040, 4, 18,760 and 240 bytes, three times. */
static void files_follow_the_table(void) {
  static const int64_t tensors_of[FILES] = {2044, 18760, 2284, 18760, 2284, 18760, 240};
  fixture f;
  open_divided(&f);
  heed_checkpoint_store *store = fixture_store(&f, 3);
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 5, 1.0), HEED_OK);
  int64_t total = 0;
  for (int i = 0; i < FILES; i++) {
    size_t bytes;
    char *data = file_read(file_path(&f, 5, i), &bytes);
    CU_ASSERT((int64_t)bytes >= tensors_of[i] && (int64_t)bytes < tensors_of[i] + 10000);
    CU_ASSERT_EQUAL(memmem(data, bytes,
                           "\xc3\xbcn\xc3\xaf"
                           "code",
                           9) != NULL,
                    i == 0); /* the configuration */
    total += (int64_t)bytes;
    free(data);
  }
  CU_ASSERT_EQUAL(access(file_path(&f, 5, FILES), F_OK), -1);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 5);
  CU_ASSERT_EQUAL(heed_checkpoint_verify(fixture_path(&f, 5, "")), HEED_OK);
  heed_checkpoint_info info;
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_read_info(f.run, &info, NULL), HEED_OK);
  CU_ASSERT_EQUAL(info.bytes, total);
  CU_ASSERT_STRING_EQUAL(info.vocabulary, "[PAD]\n[UNK]\nword\n");
  heed_checkpoint_info_free(&info);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

/* Each file as other tools see it. */
static void other_tools_read_each(void) {
  fixture f;
  open_divided(&f);
  heed_checkpoint_store *store = fixture_store(&f, 3);
  CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 5, 1.0), HEED_OK);
  heed_checkpoint_store_close(store);
  if (system("command -v h5dump >/dev/null 2>&1") == 0) {
    char command[PATH_MAX + 128];
    static const char *const held[FILES] = {"/parameters/bert.bias",  "/parameters/bert.encoder.layer.0.output.dense.weight",
                                            "/optimizer/m/bert.bias", "/optimizer/m/bert.encoder.layer.0.output.dense.weight",
                                            "/optimizer/m/four",      "/optimizer/v/bert.encoder.layer.0.output.dense.weight",
                                            "/optimizer/v/four"};
    for (int i = 0; i < FILES; i++) {
      snprintf(command, sizeof command, "h5dump -a step -d %s %s >/dev/null 2>&1", held[i], file_path(&f, 5, i));
      CU_ASSERT_EQUAL(system(command), 0);
    }
  }
  fixture_close(&f);
}

/* One over the other, of the same step: whole again, in one file and in several. */
static void either_replaces_the_other(void) {
  fixture f;
  fixture_open(&f);
  heed_checkpoint_store *store = fixture_store(&f, 3);
  for (int i = 0; i < 4; i++) {
    heed_checkpoint_store_split(store, i % 2 ? FILE_BYTES : HEED_STATE_FILE_BYTES);
    CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 5, i), HEED_OK);
    CU_ASSERT_EQUAL(access(file_path(&f, 5, 1), F_OK), i % 2 ? 0 : -1);
    CU_ASSERT_EQUAL(fixture_newest(&f, store), 5);
    CU_ASSERT_EQUAL(fixture_count(&f, ""), 1);
  }
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

typedef enum damage { MISSING, SHORT, LONG, FLIPPED, EXCHANGED, A_FOLDER, DAMAGES } damage;

static void spoil(const fixture *f, int index, damage how) {
  char path[PATH_MAX], other[PATH_MAX];
  size_t bytes;
  snprintf(path, sizeof path, "%s", file_path(f, 2, index));
  char *data = file_read(path, &bytes);
  if (how == FLIPPED)
    data[bytes / 2] ^= 4;
  unlink(path);
  if (how == SHORT || how == LONG || how == FLIPPED)
    file_write(path, data, how == SHORT ? bytes - 1 : how == LONG ? bytes + 1 : bytes);
  if (how == A_FOLDER)
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0777), 0);
  if (how == EXCHANGED) { /* with that of the step before: as long, and sound in itself */
    snprintf(other, sizeof other, "%s", file_path(f, 1, index));
    free(data);
    data = file_read(other, &bytes);
    file_write(path, data, bytes);
  }
  free(data);
}

/* Whatever is wrong with one of the files is found and named, and the checkpoint before is taken. */
static void each_file_counts(void) {
  for (int index = 0; index < FILES; index++)
    for (damage how = 0; how < DAMAGES; how++) {
      fixture f;
      char name[32];
      open_divided(&f);
      heed_checkpoint_store *store = fixture_store(&f, 3);
      CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 1, 2.0), HEED_OK);
      CU_ASSERT_EQUAL_FATAL(fixture_save(&f, store, 2, 1.0), HEED_OK);
      spoil(&f, index, how);
      CU_ASSERT_EQUAL(heed_checkpoint_verify(fixture_path(&f, 2, "")), HEED_INVALID);
      snprintf(name, sizeof name, index ? ": state-%d.h5 " : ": state.h5 ", index);
      CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), name));
      CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
      heed_checkpoint_store_close(store);
      fixture_close(&f);
    }
}

/* 312 tensors. */
static void there_are_never_too_many(void) {
  fixture f;
  fixture_open(&f);
  for (int i = 0; i < 100; i++) {
    heed_parameter one = {.rank = 1, .shape = {20}};
    snprintf(one.name, sizeof one.name, "layer.%d", i);
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&f.table, &one, NULL), HEED_OK);
  }
  const size_t bytes = (size_t)f.table.total * sizeof(float);
  f.tensors.parameters = realloc(f.tensors.parameters, bytes);
  for (int m = 0; m < 2; m++)
    f.tensors.moment_shards[m] = realloc(f.tensors.moment_shards[m], bytes);
  heed_alone()->shard(heed_alone(), (int64_t[]){0, f.table.total}, 2, (int64_t[]){0, f.table.total}, 1);
  heed_checkpoint_store *store = fixture_store(&f, 2);
  heed_checkpoint_store_split(store, 1);
  CU_ASSERT_EQUAL(fixture_save(&f, store, 1, 1.0), HEED_OK);
  CU_ASSERT_EQUAL(access(file_path(&f, 1, 40), F_OK), 0);
  CU_ASSERT_EQUAL(access(file_path(&f, 1, HEED_MAX_FILES), F_OK), -1);
  CU_ASSERT_EQUAL(fixture_newest(&f, store), 1);
  heed_checkpoint_store_close(store);
  fixture_close(&f);
}

HEED_TESTS({"files follow the table", files_follow_the_table}, {"h5dump reads each", other_tools_read_each},
           {"either replaces the other", either_replaces_the_other}, {"each file counts", each_file_counts},
           {"there are never too many", there_are_never_too_many})
