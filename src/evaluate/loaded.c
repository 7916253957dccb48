#include "evaluate/loaded.h"

#include <stdlib.h>
#include <string.h>

#include "models/level.h"

/* A text of rank 0 becomes everybody's. */
static heed_status share_text(char **text, heed_communication *c) {
  int64_t bytes = *text ? (int64_t)strlen(*text) + 1 : 0;
  c->broadcast(c, &bytes, sizeof bytes);
  if (c->rank != 0)
    *text = malloc((size_t)bytes);
  HEED_TRY(c->agree(c, *text ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a checkpoint's configuration")));
  c->broadcast(c, *text, (size_t)bytes);
  return HEED_OK;
}

/* Rank 0 reads: a run folder may get another newest checkpoint at any time, and one reader is enough. */
static heed_status read_info(heed_loaded *loaded, const char *checkpoint, heed_communication *c) {
  heed_checkpoint_info *info = &loaded->info;
  HEED_TRY(c->agree(c, c->rank == 0 ? heed_checkpoint_read_info(checkpoint, info, &loaded->folder) : HEED_OK));
  heed_checkpoint_info numbers = *info;
  c->broadcast(c, &numbers, sizeof numbers);
  numbers.config = info->config;
  numbers.vocabulary = info->vocabulary;
  *info = numbers;
  HEED_TRY(share_text(&info->config, c));
  HEED_TRY(share_text(&info->vocabulary, c));
  return share_text(&loaded->folder, c);
}

static heed_status open_tokenizer(heed_loaded *loaded) {
  const heed_checkpoint_info *info = &loaded->info;
  HEED_TRY(heed_config_parse(&loaded->config, info->config, loaded->folder, NULL, 0));
  HEED_TRY(heed_tokenizer_from_text(&loaded->tokenizer, info->vocabulary, strlen(info->vocabulary), loaded->folder, info->cased));
  if (heed_tokenizer_size(loaded->tokenizer) != loaded->config.model.vocabulary_size)
    return heed_error(HEED_INVALID, "%s: its vocabulary has %lld tokens, its model %lld", loaded->folder,
                      (long long)heed_tokenizer_size(loaded->tokenizer), (long long)loaded->config.model.vocabulary_size);
  return HEED_OK;
}

heed_status heed_loaded_open(heed_loaded *loaded, const char *checkpoint, heed_communication *communication) {
  *loaded = (heed_loaded){0};
  HEED_TRY(heed_level_agree(&loaded->kernels, communication));
  HEED_TRY(read_info(loaded, checkpoint, communication));
  return communication->agree(communication, open_tokenizer(loaded));
}

/* A stranger's configuration may describe a model of any size: its weights must at least fit in the files. */
static heed_status check_total(const heed_loaded *loaded, int64_t total) {
  if (total <= loaded->info.bytes / (int64_t)sizeof(float))
    return HEED_OK;
  return heed_error(HEED_INVALID, "%s: its model has %lld parameters, more than its state holds; the checkpoint is of another model",
                    loaded->folder, (long long)total);
}

static heed_status plan(heed_loaded *loaded, const heed_model_sizes *sizes, bool reads) {
  HEED_TRY(heed_model_create(&loaded->model, &loaded->config.model, sizes, loaded->kernels));
  int64_t total = heed_model_table(loaded->model)->total;
  if (reads)
    HEED_TRY(check_total(loaded, total));
  loaded->parameters = aligned_alloc(64, ((size_t)total * sizeof(float) + 63) / 64 * 64);
  if (!loaded->parameters)
    return heed_error(HEED_FAILED, "out of memory for %lld parameters", (long long)total);
  return HEED_OK;
}

/* Buffers and tables of positions come last: a stranger's configuration may ask for any size, and must first fit its weights. */
heed_status heed_loaded_weights(heed_loaded *loaded, const heed_model_sizes *sizes, heed_communication *communication) {
  HEED_TRY(communication->agree(communication, plan(loaded, sizes, communication->rank == 0)));
  heed_checkpoint_tensors tensors = {.table = heed_model_table(loaded->model), .parameters = loaded->parameters};
  HEED_TRY(heed_checkpoint_load(loaded->folder, &tensors, communication));
  return communication->agree(communication, heed_model_commit(loaded->model));
}

void heed_loaded_free(heed_loaded *loaded) {
  heed_model_free(loaded->model);
  heed_tokenizer_free(loaded->tokenizer);
  heed_config_free(&loaded->config);
  heed_checkpoint_info_free(&loaded->info);
  free(loaded->parameters);
  free(loaded->folder);
}
