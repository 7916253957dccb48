/* A WordPiece vocabulary, cased or not. */
#include "fuzz/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  fuzz_vocabulary(data, bytes, bytes % 2 == 0);
  return 0;
}
