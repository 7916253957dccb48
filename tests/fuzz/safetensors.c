/* safetensors: the tensors that are accepted fill the file without overlap or gap, and can be read. */
#include "checkpoint/safetensors.h"
#include "fuzz/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  heed_safetensors file;
  if (!fuzz_went_well(heed_safetensors_open(&file, fuzz_path(fuzz_file(data, bytes)))))
    return 0;
  for (int64_t i = 0; i < file.count; i++) {
    const heed_safetensor *tensor = &file.items[i];
    int64_t end = i + 1 < file.count ? tensor[1].offset : (int64_t)bytes;
    FUZZ_MUST(tensor->offset + tensor->bytes == end);
    FUZZ_MUST(heed_safetensors_find(&file, tensor->name) == tensor);
    FUZZ_MUST(tensor->count <= (int64_t)bytes);
    float *values = malloc((size_t)tensor->count * sizeof *values + 1);
    FUZZ_MUST(values != NULL);
    fuzz_went_well(heed_safetensors_read(&file, tensor, values));
    free(values);
  }
  heed_safetensors_close(&file);
  return 0;
}
