/* A config.json of transformers', which the same bytes are taken for as a tokenizer_config.json: what is accepted is a configuration that
 * can be exported again. */
#include "convert/transformers.h"
#include "convert/transformers_tokenizer.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const heed_special_tokens special = {0, 1, 2, 3, 4};
  const char *path = fuzz_path(fuzz_file(data, bytes));
  const heed_class *class;
  heed_casing casing;
  heed_config config;
  char *printed;
  if (fuzz_went_well(heed_transformers_read_config(&config, &class, path, "fuzz", bytes % 2 == 0, NULL, 0)) &&
      fuzz_went_well(heed_transformers_class_of(&class, &config)) &&
      fuzz_went_well(heed_transformers_print_config(&config, class, &special, &printed)))
    free(printed);
  heed_config_free(&config);
  fuzz_went_well(heed_transformers_read_casing(path, &casing));
  return 0;
}
