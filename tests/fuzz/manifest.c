/* A manifest, with its own checksum made right, since a stranger can count too: what is accepted prints as the same text. */
#include "checkpoint/manifest.h"
#include "base/hash.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  heed_manifest manifest;
  char *text = calloc(bytes + 64, 1), *printed, *copy;
  size_t printed_bytes;
  FUZZ_MUST(text != NULL);
  if (bytes > 0)
    memcpy(text, data, bytes);
  size_t all = bytes + (size_t)sprintf(text + bytes, "manifest %016llx\n", (unsigned long long)heed_hash(text, bytes));
  if (fuzz_went_well(heed_manifest_parse(&manifest, text, all))) {
    FUZZ_MUST(heed_manifest_print(&manifest, &printed, &printed_bytes) == HEED_OK);
    for (int64_t i = 0, hint = 0; i < manifest.count; i++)
      FUZZ_MUST(heed_manifest_find(&manifest, manifest.items[i].path, &hint) == &manifest.items[i]);
    heed_manifest_free(&manifest);
    copy = fuzz_text((const uint8_t *)printed, printed_bytes);
    FUZZ_MUST(heed_manifest_parse(&manifest, copy, printed_bytes) == HEED_OK);
    free(copy);
    free(printed);
  }
  heed_manifest_free(&manifest);
  free(text);
  return 0;
}
