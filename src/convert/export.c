/* Export: a checkpoint's weights, configuration and vocabulary as a folder of transformers'. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/file.h"
#include "checkpoint/safetensors.h"
#include "convert/layout.h"
#include "convert/transformers.h"
#include "convert/transformers_tokenizer.h"
#include "evaluate/loaded.h"

/* A small file, made durable. */
static heed_status write_text(int folder, const char *name, const char *text, size_t bytes) {
  int file;
  HEED_TRY(heed_file_create(folder, name, &file));
  return heed_file_finish(&file, name, heed_file_write(file, name, text, bytes, 0));
}

/* A printed text, which is freed; nothing when printing failed. */
static heed_status write_printed(int folder, const char *name, heed_status printed, char *text) {
  heed_status status = printed == HEED_OK ? write_text(folder, name, text, strlen(text)) : printed;
  free(text);
  return status;
}

static heed_status write_tokenizer(const heed_config *config, const heed_tokenizer *tokenizer, int folder) {
  const char *name, *text;
  char *printed = NULL;
  size_t bytes;
  for (int i = 0; heed_tokenizer_files(tokenizer, i, &name, &text, &bytes); i++)
    HEED_TRY(write_text(folder, name, text, bytes));
  heed_status status = heed_transformers_print_tokenizer_config(config, tokenizer, &printed);
  HEED_TRY(write_printed(folder, "tokenizer_config.json", status, printed));
  status = heed_transformers_print_tokenizer(tokenizer, &printed);
  return write_printed(folder, "tokenizer.json", status, printed);
}

/* The weights under the names and in the shapes of the class. */
static heed_status write_weights(const heed_loaded *loaded, const heed_class *class, int folder) {
  const heed_parameter_table *ours = heed_model_table(loaded->model);
  heed_parameter_table theirs = {0};
  heed_layout layout;
  float *values = malloc((size_t)ours->total * sizeof *values);
  heed_status status = heed_layout_create(&layout, ours, class);
  if (status == HEED_OK && !values)
    status = heed_error(HEED_FAILED, "out of memory for %lld parameters", (long long)ours->total);
  for (int64_t i = 0; i < layout.count && status == HEED_OK; i++) {
    const heed_layout_item *item = &layout.items[i];
    heed_parameter p = {.rank = item->rank};
    memcpy(p.name, item->name, sizeof p.name);
    memcpy(p.shape, item->shape, sizeof p.shape);
    if (item->transposed)
      heed_layout_transpose(values + item->offset, loaded->parameters + item->offset, item->shape[1], item->shape[0]);
    else
      memcpy(values + item->offset, loaded->parameters + item->offset, (size_t)item->count * sizeof *values);
    status = heed_parameters_add(&theirs, &p, NULL);
  }
  if (status == HEED_OK)
    status = heed_safetensors_write(folder, "model.safetensors", &theirs, values);
  heed_parameters_free(&theirs);
  heed_layout_free(&layout);
  free(values);
  return status;
}

static heed_status write_files(const heed_loaded *loaded, int folder) {
  const heed_class *class;
  char *printed = NULL;
  HEED_TRY(heed_transformers_class_of(&class, &loaded->config));
  heed_status status = heed_transformers_print_config(&loaded->config, class, heed_tokenizer_special(loaded->tokenizer), &printed);
  HEED_TRY(write_printed(folder, "config.json", status, printed));
  HEED_TRY(write_tokenizer(&loaded->config, loaded->tokenizer, folder));
  HEED_TRY(write_weights(loaded, class, folder));
  return heed_file_sync(folder, "the folder");
}

static bool is_empty_folder(const heed_target *target) {
  int folder = openat(target->folder, target->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), others = 0;
  DIR *entries = folder >= 0 ? fdopendir(folder) : NULL;
  if (!entries) {
    if (folder >= 0)
      close(folder);
    return false;
  }
  for (struct dirent *entry; (entry = readdir(entries));)
    others += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  closedir(entries);
  return others == 0;
}

/* Fills a folder beside the target's place and renames it there: an empty folder gives way, anything else refuses. */
static heed_status write_folder(const heed_loaded *loaded, const heed_target *target) {
  char digits[17], temporary[256];
  int folder;
  heed_random_digits(digits);
  snprintf(temporary, sizeof temporary, "%s.tmp-%s", target->name, digits);
  if (faccessat(target->folder, target->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && !is_empty_folder(target))
    return heed_error(HEED_INVALID, "something of that name is there already and is no empty folder; choose another, or remove it");
  if (mkdirat(target->folder, temporary, 0777) != 0)
    return heed_error(HEED_IO, "%s could not be made: %s", temporary, strerror(errno));
  heed_status status = heed_folder_open(target->folder, temporary, temporary, false, &folder);
  if (status == HEED_OK) {
    status = write_files(loaded, folder);
    close(folder);
  }
  if (status == HEED_OK && renameat(target->folder, temporary, target->folder, target->name) != 0)
    status = heed_error(errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR ? HEED_INVALID : HEED_IO, "%s could not be renamed: %s",
                        temporary, strerror(errno));
  if (status != HEED_OK) {
    heed_tree_remove(target->folder, temporary);
    return status;
  }
  return heed_file_sync(target->folder, target->parent);
}

heed_status heed_export(const char *checkpoint, const char *output) {
  heed_loaded loaded;
  heed_target target;
  heed_status status = heed_loaded_open(&loaded, checkpoint, heed_alone());
  heed_model_sizes sizes = heed_model_sizes_least(loaded.config.objective.next_sentence);
  if (status == HEED_OK)
    status = heed_loaded_weights(&loaded, &sizes, heed_alone());
  if (status == HEED_OK && (status = heed_target_open(&target, output)) == HEED_OK) {
    status = write_folder(&loaded, &target);
    heed_target_close(&target);
    if (status != HEED_OK)
      heed_error_in(status, "%s was not written", output);
  }
  heed_loaded_free(&loaded);
  return status;
}
