/* The files that a configuration names, as this rank reads them. */
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "checkpoint/file.h"
#include "data/sampler.h"
#include "data/shard_list.h"
#include "measure/doctor.h"

/* A file up to WHOLE bytes is hashed whole; of a larger one PARTS parts at even distances, the first and the last bytes among them: enough
 * to tell copies apart.  What is in them is seen when they are opened. */
enum { PARTS = 256, PART_BYTES = 1 << 20 };
static const int64_t WHOLE = (int64_t)PARTS * PART_BYTES;

static heed_status hash_content(int file, const char *path, int64_t bytes, uint64_t *hash) {
  uint64_t parts[PARTS];
  if (bytes <= WHOLE)
    return heed_file_hash(file, path, 0, bytes, hash);
  const int64_t last = bytes - PART_BYTES;
  for (int64_t i = 0; i < PARTS; i++)
    HEED_TRY(heed_file_hash(file, path, i + 1 < PARTS ? last / (PARTS - 1) * i : last, PART_BYTES, &parts[i]));
  *hash = heed_hash(parts, sizeof parts);
  return HEED_OK;
}

/* Hashes are added up, so that the order in which a glob names the files does not count. */
static heed_status add_file(heed_doctor_files *files, const char *path) {
  struct {
    uint64_t name, bytes, content;
  } identity = {.name = heed_hash(path, strlen(path))};
  int file;
  int64_t bytes;
  HEED_TRY(heed_file_open(AT_FDCWD, path, true, &file, &bytes));
  identity.bytes = (uint64_t)bytes;
  heed_status status = bytes > 0 ? hash_content(file, path, bytes, &identity.content) : heed_error(HEED_INVALID, "%s is empty", path);
  close(file);
  HEED_TRY(status);
  files->count++;
  files->bytes += identity.bytes;
  files->hash += heed_hash(&identity, sizeof identity);
  return HEED_OK;
}

/* A file, or those that a glob names; one that names nothing stands for itself, and is missing. */
static heed_status add_files(heed_doctor_files *files, const char *path) {
  glob_t found = {0};
  heed_status status = HEED_OK;
  if (access(path, F_OK) == 0)
    return add_file(files, path);
  HEED_TRY(heed_shard_glob_check(path));
  const int failed = glob(path, GLOB_NOSORT | GLOB_NOCHECK, NULL, &found);
  if (failed)
    status = heed_error(failed == GLOB_NOSPACE ? HEED_FAILED : HEED_IO, "%s: its folder could not be read", path);
  for (size_t i = 0; status == HEED_OK && i < found.gl_pathc; i++)
    status = add_file(files, found.gl_pathv[i]);
  globfree(&found);
  return status;
}

static heed_status add_vocabulary(heed_doctor_files *files, const char *path) {
  static const char *const names[] = {"vocab.json", "merges.txt"};
  struct stat is;
  if (stat(path, &is) != 0 || !S_ISDIR(is.st_mode))
    return add_file(files, path);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char inside[4096];
    if (snprintf(inside, sizeof inside, "%s/%s", path, names[i]) >= (int)sizeof inside)
      return heed_error(HEED_INVALID, "%s: the path is too long", path);
    HEED_TRY(add_file(files, inside));
  }
  return HEED_OK;
}

/* What has no room left goes; the reason stands at the end. */
static void keep_error(char *error, size_t bytes) {
  const char *text = heed_error_text();
  const size_t length = strlen(text), most = bytes - 1;
  if (length <= most)
    snprintf(error, bytes, "%s", text);
  else
    snprintf(error, bytes, "…%s", text + length - most + strlen("…"));
}

heed_status heed_doctor_read_files(heed_doctor_rank *rank, const heed_config *config) {
  const heed_data_config *data = &config->data;
  const struct {
    char *const *paths;
    unsigned count;
    heed_status (*add)(heed_doctor_files *files, const char *path);
  } kinds[HEED_DOCTOR_FILES] = {[HEED_DOCTOR_TRAIN] = {data->train, data->train_count, add_files},
                                [HEED_DOCTOR_VALIDATION] = {data->validation, data->validation_count, add_files},
                                [HEED_DOCTOR_VOCABULARY] = {&data->vocabulary, data->vocabulary != NULL, add_vocabulary}};
  char *text;
  HEED_TRY(heed_config_print(config, &text));
  rank->config = heed_hash(text, strlen(text));
  free(text);
  for (int k = 0; k < HEED_DOCTOR_FILES; k++)
    for (unsigned i = 0; i < kinds[k].count && !rank->files[k].error[0]; i++)
      if (kinds[k].add(&rank->files[k], kinds[k].paths[i]) != HEED_OK) {
        rank->files[k] = (heed_doctor_files){0};
        keep_error(rank->files[k].error, sizeof rank->files[k].error);
      }
  return HEED_OK;
}

void heed_doctor_open_data(heed_doctor_rank *rank, const heed_config *config) {
  heed_tokenizer *tokenizer = NULL;
  heed_sampler *training = NULL, *validation = NULL;
  for (int k = 0; k < HEED_DOCTOR_FILES; k++)
    if (rank->files[k].error[0])
      return;
  if (heed_sampler_open_run(config, &tokenizer, &training, &validation) != HEED_OK)
    keep_error(rank->data_error, sizeof rank->data_error);
  heed_sampler_free(training);
  heed_sampler_free(validation);
  heed_tokenizer_free(tokenizer);
}
