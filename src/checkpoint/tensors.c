/* What a caller gave to save or to load into, and the names of it in the file. */
#include <stdio.h>
#include <string.h>

#include "checkpoint/manifest.h"
#include "checkpoint/store.h"

void heed_item_path(char path[], const heed_checkpoint_tensors *tensors, int block, int64_t parameter) {
  const char *name = tensors->table->items[parameter].name;
  if (block == 0)
    snprintf(path, HEED_MAX_PATH, "/parameters/%s", name);
  else
    snprintf(path, HEED_MAX_PATH, "/optimizer/%s/%s", tensors->moment_names[block - 1], name);
}

heed_status heed_tensors_check(const heed_checkpoint_tensors *tensors) {
  bool good = tensors && tensors->table && tensors->table->count > 0 && tensors->parameters && tensors->moments >= 0 &&
              tensors->moments <= HEED_MAX_MOMENTS;
  for (int i = 0; good && i < tensors->moments; i++)
    good = tensors->moment_names[i] && tensors->moment_shards[i] && strlen(tensors->moment_names[i]) <= 32 &&
           !strchr(tensors->moment_names[i], '/');
  for (int64_t i = 0; good && i < tensors->table->count; i++)
    if (strchr(tensors->table->items[i].name, '/'))
      return heed_error(HEED_INVALID, "parameter %s: a name with a slash cannot be stored", tensors->table->items[i].name);
  return good ? HEED_OK : heed_error(HEED_INVALID, "a checkpoint needs a table, parameters, and a name and a block for each moment");
}
