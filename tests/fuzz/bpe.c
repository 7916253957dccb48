/* A BPE vocabulary: vocab.json on the first line, merges.txt behind it.  The bytes' own tokens, which each vocabulary must have, are put
 * before those of the input, so that little inputs come far: ⟨…, "x": 257⟩ newline merges. */
#include "base/utf8.h"
#include "data/byte_alphabet.h"
#include "fuzz/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
  fuzz_vocabulary(data, bytes, true);
  char *text = malloc(8192 + bytes);
  FUZZ_MUST(text != NULL);
  size_t length = (size_t)sprintf(text, "{\"<|endoftext|>\":0");
  for (int byte = 0; byte < 256; byte++) {
    char character[8] = {0};
    heed_utf8_write(character, heed_byte_character((unsigned char)byte));
    length += (size_t)sprintf(text + length, ",\"%s%s\":%d", byte == '"' || byte == '\\' ? "\\" : "", character, byte + 1);
  }
  if (bytes > 0)
    memcpy(text + length, data, bytes);
  fuzz_vocabulary((const uint8_t *)text, length + bytes, true);
  free(text);
  return 0;
}
