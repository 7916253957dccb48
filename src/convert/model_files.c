#include "convert/model_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/folder.h"
#include "data/output.h"

static heed_status out_of_memory(void) {
  return heed_error(HEED_FAILED, "out of memory for an import");
}

/* `given`, or the file `name` of the folder. */
static char *path_of(const char *given, const char *folder, const char *name) {
  char *path;
  if (given)
    return strdup(given);
  return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* A folder without vocab.txt but with vocab.json is a BPE vocabulary itself. */
static heed_status take_bpe(heed_model_files *files) {
  char *json = path_of(NULL, files->folder, "vocab.json");
  bool bpe = json && access(json, F_OK) == 0;
  free(json);
  if (!bpe)
    return HEED_OK;
  free(files->vocabulary);
  return (files->vocabulary = strdup(files->folder)) ? HEED_OK : out_of_memory();
}

static heed_status name_files(heed_model_files *files, const heed_import_spec *spec) {
  struct stat is;
  bool is_folder = stat(spec->weights, &is) == 0 && S_ISDIR(is.st_mode);
  files->folder = is_folder ? strdup(spec->weights) : heed_folder_of(spec->weights);
  if (!files->folder)
    return out_of_memory();
  files->weights = path_of(is_folder ? NULL : spec->weights, files->folder, "model.safetensors");
  files->config = path_of(spec->model_config, files->folder, "config.json");
  files->vocabulary = path_of(spec->vocabulary, files->folder, "vocab.txt");
  if (!spec->vocabulary && files->vocabulary && access(files->vocabulary, F_OK) != 0)
    HEED_TRY(take_bpe(files));
  char *beside = files->vocabulary ? heed_folder_of(files->vocabulary) : NULL;
  files->casing = beside ? path_of(NULL, beside, "tokenizer_config.json") : NULL;
  free(beside);
  return files->weights && files->config && files->casing ? HEED_OK : out_of_memory();
}

/* What people name in its place, answered by what to do. */
static heed_status check_weights_there(const heed_model_files *files, const char *named) {
  struct stat is;
  int directory;
  bool is_run;
  if (stat(named, &is) != 0)
    return heed_error(HEED_INVALID, "%s is missing; Heed downloads nothing: name a folder that save_pretrained wrote, or its weights",
                      named);
  if (stat(files->weights, &is) == 0)
    return HEED_OK;
  if (heed_checkpoint_named_open(named, &directory, &is_run) == HEED_OK) {
    close(directory);
    return heed_error(HEED_INVALID, "%s is Heed's own already: fill, embed, evaluate and train.start_from take it as it is", named);
  }
  char *pickle = path_of(NULL, named, "pytorch_model.bin");
  heed_status status = pickle ? HEED_OK : out_of_memory();
  if (pickle && stat(pickle, &is) == 0)
    status = heed_error(HEED_INVALID,
                        "%s has its weights as a PyTorch pickle alone; load it in transformers and save it anew with "
                        "save_pretrained(…), which writes model.safetensors",
                        named);
  else if (status == HEED_OK)
    status = heed_error(HEED_INVALID, "%s is missing; name a folder that save_pretrained wrote, or its weights", files->weights);
  free(pickle);
  return status;
}

heed_status heed_model_files_find(heed_model_files *files, const heed_import_spec *spec) {
  *files = (heed_model_files){0};
  HEED_TRY(name_files(files, spec));
  return check_weights_there(files, spec->weights);
}

void heed_model_files_free(heed_model_files *files) {
  free(files->folder);
  free(files->weights);
  free(files->config);
  free(files->vocabulary);
  free(files->casing);
  *files = (heed_model_files){0};
}
