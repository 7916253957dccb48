/* A configuration: whatever is accepted is printed, and reads back as the same. */
#include "heed/config.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  heed_config config, again;
  char *text = fuzz_text(data, bytes), *printed, *reprinted;
  if (fuzz_went_well(heed_config_parse(&config, text, "fuzz.yaml", NULL, 0))) {
    FUZZ_MUST(heed_config_print(&config, &printed) == HEED_OK);
    FUZZ_MUST(heed_config_parse(&again, printed, "printed.yaml", NULL, 0) == HEED_OK);
    FUZZ_MUST(heed_config_print(&again, &reprinted) == HEED_OK && strcmp(printed, reprinted) == 0);
    free(printed);
    free(reprinted);
    heed_config_free(&again);
  }
  heed_config_free(&config);
  free(text);
  return 0;
}
