#include "data/vocabulary_output.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/output.h"

static bool is_folder(const char *path) {
  struct stat about;
  return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* A file that is to be written.  \param[out] replaces  whether there is something at its place */
static heed_status check_file(const char *path, const char *const *inputs, int input_count, bool *replaces) {
  struct stat output, input;
  HEED_TRY(heed_output_check(path));
  *replaces = stat(path, &output) == 0 && output.st_size > 0;
  for (int i = 0; i < input_count && *replaces; i++)
    if (stat(inputs[i], &input) == 0 && input.st_dev == output.st_dev && input.st_ino == output.st_ino)
      return heed_error(HEED_INVALID, "%s: both input and output; choose another output", path);
  return HEED_OK;
}

/* What is there already must be a vocabulary. */
static heed_status check_earlier(const char *path) {
  heed_tokenizer *earlier;
  if (heed_tokenizer_open(&earlier, path, false) != HEED_OK)
    return heed_error(HEED_INVALID, "%s: exists and is no vocabulary; it is not replaced: remove it or choose another output", path);
  heed_tokenizer_free(earlier);
  return HEED_OK;
}

/* \param[out] path  that of a file in a folder, allocated */
static heed_status path_in(const char *folder, const char *name, char **path) {
  if (asprintf(path, "%s/%s", folder, name) >= 0)
    return HEED_OK;
  *path = NULL;
  return heed_error(HEED_FAILED, "out of memory for a path");
}

static const char *const names[] = {"vocab.json", "merges.txt"};

static bool begins_with(const char *text, const char *beginning) {
  return strncmp(text, beginning, strlen(beginning)) == 0;
}

/* Whether a folder holds more than a vocabulary, or what a kill left of writing one: that of a model or a run goes with what is beside it.
 */
static bool holds_more(const char *path) {
  bool more = false;
  DIR *folder = opendir(path);
  for (const struct dirent *entry; folder && (entry = readdir(folder));)
    more = more || (entry->d_name[0] != '.' && !begins_with(entry->d_name, names[0]) && !begins_with(entry->d_name, names[1]));
  if (folder)
    closedir(folder);
  return more;
}

static heed_status check_folder(const char *path, const char *const *inputs, int input_count) {
  bool any = false;
  if (access(path, F_OK) == 0 && !is_folder(path))
    return heed_error(HEED_INVALID, "%s: exists and is no folder; a BPE vocabulary is one, with vocab.json and merges.txt", path);
  if (!is_folder(path))
    return heed_output_check(path); /* its place can be written */
  for (int i = 0; i < 2; i++) {
    char *file;
    bool replaces = false;
    HEED_TRY(path_in(path, names[i], &file));
    heed_status status = check_file(file, inputs, input_count, &replaces);
    free(file);
    HEED_TRY(status);
    any = any || replaces;
  }
  if (any && holds_more(path))
    return heed_error(HEED_INVALID, "%s: holds a vocabulary and other files, which it may belong to; choose another output", path);
  return any ? check_earlier(path) : HEED_OK;
}

heed_status heed_vocabulary_check_output(const char *path, heed_vocabulary_kind kind, const char *const *inputs, int input_count) {
  bool replaces;
  if (kind == HEED_BPE)
    return check_folder(path, inputs, input_count);
  HEED_TRY(check_file(path, inputs, input_count, &replaces));
  return replaces ? check_earlier(path) : HEED_OK;
}

static heed_status write_folder(const char *path, const heed_tokenizer *tokenizer) {
  heed_output_file files[HEED_OUTPUT_FILES] = {0};
  char *paths[HEED_OUTPUT_FILES] = {NULL};
  const char *name, *text;
  int count = 0;
  bool made = mkdir(path, 0777) == 0;
  heed_status status = made || errno == EEXIST ? HEED_OK : heed_error(HEED_IO, "%s: could not be made: %s", path, strerror(errno));
  for (size_t bytes; status == HEED_OK && heed_tokenizer_files(tokenizer, count, &name, &text, &bytes); count++) {
    status = path_in(path, name, &paths[count]);
    files[count] = (heed_output_file){paths[count], text, bytes};
  }
  if (status == HEED_OK)
    status = heed_output_write_all(files, count);
  for (int i = 0; i < count; i++)
    free(paths[i]);
  if (status != HEED_OK && made)
    rmdir(path);
  return status;
}

heed_status heed_vocabulary_write(const char *path, const heed_tokenizer *tokenizer) {
  const char *name, *text;
  size_t bytes;
  if (heed_tokenizer_kind(tokenizer) == HEED_BPE)
    return write_folder(path, tokenizer);
  heed_tokenizer_files(tokenizer, 0, &name, &text, &bytes);
  return heed_output_write(path, text, bytes);
}
