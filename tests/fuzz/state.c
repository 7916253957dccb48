/* The structure of a state.h5, of which a manifest names some tensors: each is refused, or lies within the file. */
#include "checkpoint/state.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  static const heed_item items[] = {{.path = "/config", .type = HEED_ITEM_TEXT, .rank = 1, .shape = {12}},
                                    {.path = "/parameters/x", .type = HEED_ITEM_FLOAT32, .rank = 2, .shape = {6, 4}},
                                    {.path = "/parameters/bert.bias", .type = HEED_ITEM_FLOAT32, .rank = 1, .shape = {4}},
                                    {.path = "/optimizer/m/x", .type = HEED_ITEM_FLOAT32, .rank = 2, .shape = {6, 4}}};
  int file = fuzz_file(data, bytes);
  for (size_t i = 0; i < sizeof items / sizeof *items; i++) { /* one by one, so that a fault of the first hides none of the others */
    heed_manifest manifest = {0};
    FUZZ_MUST(heed_manifest_add_file(&manifest) == HEED_OK);
    manifest.files[0].bytes = (int64_t)bytes;
    FUZZ_MUST(heed_manifest_add(&manifest, &items[i]) == HEED_OK);
    if (fuzz_went_well(heed_state_check(file, &manifest, 0)))
      FUZZ_MUST(manifest.items[0].offset > 0 && manifest.items[0].offset <= (int64_t)bytes - manifest.items[0].bytes);
    heed_manifest_free(&manifest);
  }
  return 0;
}
