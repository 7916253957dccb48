#include "evaluate/loaded.h"

#include <stdlib.h>
#include <string.h>

heed_status heed_loaded_open(heed_loaded *loaded, const char *checkpoint) {
  *loaded = (heed_loaded){0};
  loaded->kernels = heed_kernels_choose(NULL);
  if (!loaded->kernels)
    return heed_error(HEED_INVALID, "HEED_ISA names an instruction level that is unknown or that this processor lacks");
  HEED_TRY(heed_checkpoint_read_info(checkpoint, &loaded->info, &loaded->folder));
  HEED_TRY(heed_config_parse(&loaded->config, loaded->info.config, loaded->folder, NULL, 0));
  HEED_TRY(heed_tokenizer_from_text(&loaded->tokenizer, loaded->info.vocabulary, strlen(loaded->info.vocabulary), loaded->folder,
                                    loaded->info.cased));
  if (heed_tokenizer_size(loaded->tokenizer) != loaded->config.model.vocabulary_size)
    return heed_error(HEED_INVALID, "%s: its vocabulary has %lld tokens, its model %lld", loaded->folder,
                      (long long)heed_tokenizer_size(loaded->tokenizer), (long long)loaded->config.model.vocabulary_size);
  return HEED_OK;
}

static heed_status plan(heed_loaded *loaded, const heed_model_sizes *sizes) {
  HEED_TRY(heed_model_create(&loaded->model, &loaded->config.model, sizes, loaded->kernels));
  HEED_TRY(heed_model_commit(loaded->model));
  int64_t total = heed_model_table(loaded->model)->total;
  loaded->parameters = aligned_alloc(64, ((size_t)total * sizeof(float) + 63) / 64 * 64);
  if (!loaded->parameters)
    return heed_error(HEED_FAILED, "out of memory for %lld parameters", (long long)total);
  return HEED_OK;
}

heed_status heed_loaded_weights(heed_loaded *loaded, const heed_model_sizes *sizes, heed_communication *communication) {
  HEED_TRY(communication->agree(communication, plan(loaded, sizes)));
  heed_checkpoint_tensors tensors = {.table = heed_model_table(loaded->model), .parameters = loaded->parameters};
  return heed_checkpoint_load(loaded->folder, &tensors, communication);
}

void heed_loaded_free(heed_loaded *loaded) {
  heed_model_free(loaded->model);
  heed_tokenizer_free(loaded->tokenizer);
  heed_config_free(&loaded->config);
  heed_checkpoint_info_free(&loaded->info);
  free(loaded->parameters);
  free(loaded->folder);
}
