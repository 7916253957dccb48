/* The words that every code point makes, against Hugging Face's `tokenizers` 0.23: words.txt holds, a plane of Unicode a line, the CRC-32
 * of them all, uncased and cased (tests/parity/make_tokenizer_fixture.py).  tests/parity/tokenizer.py names the code points that differ. */
#include "data/words.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "data/checksum.h"
#include "test.h"

/* The contexts: in a word, alone, before a mark, among characters that canonical order moves.  Returns the bytes written. */
static size_t in_contexts(char *out, int32_t code) {
  static const char *const between[] = {"a", "b ", " ", "\u0301 \u302E", "\U0001D165\u1B44", "\u1B44"};
  size_t at = 0;
  for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
    if (i > 0)
      at += (size_t)heed_utf8_write(out + at, code);
    memcpy(out + at, between[i], strlen(between[i]));
    at += strlen(between[i]);
  }
  return at;
}

/* The checksum of a plane's words with a space between any two. */
static uint32_t plane_checksum(int32_t plane, bool cased) {
  checksum sum = checksum_begin();
  bool first = true;
  for (int32_t code = plane << 16; code < (plane + 1) << 16; code++) {
    char text[64];
    heed_word word;
    if (code >= 0xD800 && code < 0xE000)
      continue;
    heed_words words = heed_words_of(text, in_contexts(text, code), cased);
    for (; heed_words_next(&words, &word); first = false) {
      checksum_add(&sum, " ", first ? 0 : 1);
      checksum_add(&sum, word.text, (size_t)word.bytes);
    }
  }
  return ~sum.state;
}

static void checksums(void) {
  checksum sum = checksum_begin();
  checksum_add(&sum, "123456789", 9);
  CU_ASSERT_EQUAL(~sum.state, 0xCBF43926u); /* the known check value */
}

static void every_code_point(void) {
  FILE *file = fopen(HEED_SOURCE "/tests/data/words.txt", "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  int plane, planes = 0;
  unsigned uncased, cased;
  for (; fscanf(file, "%d %x %x", &plane, &uncased, &cased) == 3; planes++) {
    bool equal = plane_checksum(plane, false) == uncased && plane_checksum(plane, true) == cased;
    if (!equal)
      fprintf(stderr, "\nplane %d: other words than the oracle's; tests/parity/tokenizer.py tells which\n", plane);
    CU_ASSERT_TRUE(equal);
  }
  CU_ASSERT_EQUAL(planes, 17);
  fclose(file);
}

HEED_TESTS({"checksums", checksums}, {"every code point", every_code_point})
