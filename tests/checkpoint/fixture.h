/** A small model to save and load, a run folder that vanishes, and files to damage. */
#ifndef HEED_TESTS_CHECKPOINT_FIXTURE_H
#define HEED_TESTS_CHECKPOINT_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/failpoint.h"
#include "checkpoint/file.h"
#include "heed/checkpoint.h"
#include "test.h"

#ifndef FIXTURE_PARENT
#define FIXTURE_PARENT "/tmp"
#endif

typedef struct fixture {
  char folder[64], run[96];
  heed_parameter_table table;
  heed_checkpoint_tensors tensors;
  int64_t file_bytes; /* of tensors in a file of a state; 0: as many as there are */
} fixture;

static inline void fixture_fill(const fixture *f, uint32_t salt) {
  float *blocks[] = {f->tensors.parameters, f->tensors.moment_shards[0], f->tensors.moment_shards[1]};
  uint32_t x = 2463534242u + salt * 977u;
  for (int b = 0; b < 3; b++)
    for (int64_t i = 0; i < f->table.total; i++) {
      x ^= x << 13, x ^= x >> 17, x ^= x << 5;
      blocks[b][i] = (float)(int32_t)x * 1e-9f;
    }
  blocks[0][0] = -0.0f; /* bits, not values, are what is kept */
  blocks[1][3] = NAN;
  blocks[2][5] = 1e-42f;
}

static inline void fixture_open(fixture *f) {
  *f = (fixture){0};
  snprintf(f->folder, sizeof f->folder, "%s/heed-checkpoint-XXXXXX", access(FIXTURE_PARENT, W_OK) == 0 ? FIXTURE_PARENT : "/tmp");
  CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->folder));
  snprintf(f->run, sizeof f->run, "%s/runs/one", f->folder);
  const heed_parameter specs[] = {{.name = "bert.embeddings.weight", .rank = 2, .shape = {30, 17}},
                                  {.name = "bert.bias", .rank = 1, .shape = {1}},
                                  {.name = "bert.encoder.layer.0.output.dense.weight", .rank = 2, .shape = {70, 67}},
                                  {.name = "four", .rank = 4, .shape = {2, 3, 2, 5}}};
  for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
    CU_ASSERT_EQUAL_FATAL(heed_parameters_add(&f->table, &specs[i], NULL), HEED_OK);
  size_t total = (size_t)f->table.total;
  f->tensors = (heed_checkpoint_tensors){.table = &f->table, .moments = 2, .moment_names = {"m", "v"}};
  f->tensors.parameters = calloc(total, sizeof(float));
  f->tensors.moment_shards[0] = calloc(total, sizeof(float));
  f->tensors.moment_shards[1] = calloc(total, sizeof(float));
  int64_t *cuts, count;
  CU_ASSERT_EQUAL_FATAL(heed_parameters_cuts(&f->table, &cuts, &count), HEED_OK);
  heed_alone()->shard(heed_alone(), cuts, count, (int64_t[]){0, cuts[count - 1]}, 1);
  free(cuts);
  fixture_fill(f, 1);
  heed_failpoint_set(NULL);
}

static inline void fixture_close(fixture *f) {
  heed_tree_remove(AT_FDCWD, f->folder);
  free(f->tensors.parameters);
  free(f->tensors.moment_shards[0]);
  free(f->tensors.moment_shards[1]);
  heed_parameters_free(&f->table);
}

static inline heed_checkpoint_store *fixture_store(const fixture *f, int64_t keep) {
  heed_checkpoint_store *store = NULL;
  if (heed_checkpoint_store_open(&store, f->run, keep, heed_alone()) != HEED_OK)
    fprintf(stderr, "store: %s\n", heed_error_text());
  CU_ASSERT_PTR_NOT_NULL_FATAL(store);
  if (f->file_bytes > 0)
    heed_checkpoint_store_split(store, f->file_bytes);
  return store;
}

typedef heed_status fixture_saver(heed_checkpoint_store *, const heed_checkpoint_info *, const heed_checkpoint_tensors *);

/* Saves state number `step` (its tensors are a function of the step), by heed_checkpoint_save or _begin. */
static inline heed_status fixture_save_by(const fixture *f, heed_checkpoint_store *store, int64_t step, double loss, fixture_saver *save) {
  static char config[] = "run:\n  name: ünïcode\n", vocabulary[] = "[PAD]\n[UNK]\nword\n";
  heed_checkpoint_info info = {.step = step,
                               .updates = step > 0 ? step - 1 : 0,
                               .data_position = step + 2,
                               .samples_seen = 64 * step,
                               .seed = 4000000000u,
                               .cased = true,
                               .validation_loss = loss,
                               .isa = "x86-64-v4",
                               .blas = "SkylakeX",
                               .config = config,
                               .vocabulary = vocabulary};
  fixture_fill(f, (uint32_t)step);
  return save(store, &info, &f->tensors);
}

static inline heed_status fixture_save(const fixture *f, heed_checkpoint_store *store, int64_t step, double loss) {
  return fixture_save_by(f, store, step, loss, heed_checkpoint_save);
}

/* Whether what `path` holds is state number `step`, bit for bit. */
static inline bool fixture_holds(const fixture *f, const char *path, int64_t step) {
  size_t bytes = (size_t)f->table.total * sizeof(float);
  float *blocks[3] = {f->tensors.parameters, f->tensors.moment_shards[0], f->tensors.moment_shards[1]};
  float *expected[3];
  bool equal = true;
  fixture_fill(f, (uint32_t)step);
  for (int b = 0; b < 3; b++) {
    expected[b] = malloc(bytes);
    memcpy(expected[b], blocks[b], bytes);
    memset(blocks[b], 0x55, bytes);
  }
  heed_status status = heed_checkpoint_load(path, &f->tensors, heed_alone());
  if (status != HEED_OK)
    fprintf(stderr, "load: %s\n", heed_error_text());
  for (int b = 0; b < 3; b++) {
    equal = equal && memcmp(blocks[b], expected[b], bytes) == 0;
    free(expected[b]);
  }
  return status == HEED_OK && equal;
}

/* The step of the newest good checkpoint, −1 for none; it must hold that state. */
static inline int64_t fixture_newest(const fixture *f, heed_checkpoint_store *store) {
  char *path;
  heed_checkpoint_info info;
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_newest(store, &path), HEED_OK);
  if (!path)
    return -1;
  CU_ASSERT_EQUAL_FATAL(heed_checkpoint_read_info(path, &info, NULL), HEED_OK);
  CU_ASSERT_TRUE(fixture_holds(f, path, info.step));
  heed_checkpoint_info_free(&info);
  free(path);
  return info.step;
}

/* How many entries of checkpoints/ have names that begin so. */
static inline int fixture_count(const fixture *f, const char *beginning) {
  char path[160];
  int count = 0;
  snprintf(path, sizeof path, "%s/checkpoints", f->run);
  DIR *entries = opendir(path);
  for (struct dirent *entry; entries && (entry = readdir(entries));)
    count +=
        strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && strncmp(entry->d_name, beginning, strlen(beginning)) == 0;
  if (entries)
    closedir(entries);
  return count;
}

static inline const char *fixture_path(const fixture *f, int64_t step, const char *file) {
  static char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/checkpoints/step-%08lld%s%s", f->run, (long long)step, *file ? "/" : "", file);
  return path;
}

static inline char *file_read(const char *path, size_t *bytes) {
  struct stat is;
  int file = open(path, O_RDONLY);
  CU_ASSERT_TRUE_FATAL(file >= 0 && fstat(file, &is) == 0);
  char *data = calloc(1, (size_t)is.st_size + 1);
  CU_ASSERT_EQUAL_FATAL(read(file, data, (size_t)is.st_size), is.st_size);
  close(file);
  *bytes = (size_t)is.st_size;
  return data;
}

static inline void file_write(const char *path, const char *data, size_t bytes) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CU_ASSERT_TRUE_FATAL(file >= 0);
  CU_ASSERT_EQUAL_FATAL(write(file, data, bytes), (ssize_t)bytes);
  close(file);
}

/* Runs `body` in a child process; its wait status. */
static inline int in_child(void (*body)(const fixture *, const void *), const fixture *f, const void *argument) {
  int status = 0;
  fflush(NULL);
  pid_t child = fork();
  CU_ASSERT_TRUE_FATAL(child >= 0);
  if (child == 0) {
    body(f, argument);
    _exit(0);
  }
  CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
  return status;
}

#endif
