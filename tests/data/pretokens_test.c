/* The pre-tokens that every code point makes, against Hugging Face's `tokenizers` 0.23: pretokens.txt holds, a plane of Unicode a line, the
 * CRC-32 of them all (tests/parity/make_bpe_fixture.py).  tests/parity/bpe.py names the code points that differ.  Then the alphabet of
 * bytes, and cuts of long texts. */
#include "data/pretokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "data/byte_alphabet.h"
#include "data/checksum.h"
#include "test.h"

/* a{c}b {c} 1{c}1 !{c}! '{c}s  {c}{c}   Returns the bytes written. */
static size_t in_contexts(char *out, int32_t code) {
  static const char *const between[] = {"a", "b ", " 1", "1 !", "! '", "s  ", "", ""};
  size_t at = 0;
  for (size_t i = 0; i < sizeof between / sizeof *between; i++) {
    if (i > 0)
      at += (size_t)heed_utf8_write(out + at, code);
    memcpy(out + at, between[i], strlen(between[i]));
    at += strlen(between[i]);
  }
  return at;
}

static uint32_t plane_checksum(int32_t plane) {
  checksum sum = checksum_begin();
  for (int32_t code = plane << 16; code < (plane + 1) << 16; code++) {
    char text[64];
    heed_pretoken pretoken;
    if (code >= 0xD800 && code < 0xE000)
      continue;
    heed_pretokens pretokens = heed_pretokens_of(text, in_contexts(text, code));
    while (heed_pretokens_next(&pretokens, &pretoken)) {
      checksum_add(&sum, pretoken.text, pretoken.bytes);
      checksum_add(&sum, "|", 1);
    }
  }
  return ~sum.state;
}

static void every_code_point(void) {
  FILE *file = fopen(HEED_SOURCE "/tests/data/pretokens.txt", "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  int plane, planes = 0;
  unsigned expected;
  for (; fscanf(file, "%d %x", &plane, &expected) == 2; planes++) {
    bool equal = plane_checksum(plane) == expected;
    if (!equal)
      fprintf(stderr, "\nplane %d: other pre-tokens than the oracle's; tests/parity/bpe.py tells which\n", plane);
    CU_ASSERT_TRUE(equal);
  }
  CU_ASSERT_EQUAL(planes, 17);
  fclose(file);
}

/* All pre-tokens with | behind each. */
static const char *cut(const char *text) {
  static char all[512];
  size_t at = 0;
  heed_pretoken pretoken;
  heed_pretokens pretokens = heed_pretokens_of(text, strlen(text));
  while (heed_pretokens_next(&pretokens, &pretoken))
    at += (size_t)snprintf(all + at, sizeof all - at, "%.*s|", (int)pretoken.bytes, pretoken.text);
  all[at] = 0;
  return all;
}

/* The pattern, read aloud. */
static void pattern(void) {
  CU_ASSERT_STRING_EQUAL(cut("Hello world 42 don't"), "Hello| world| 42| don|'t|");
  CU_ASSERT_STRING_EQUAL(cut("a   b"), "a|  | b|");
  CU_ASSERT_STRING_EQUAL(cut("a \tb"), "a| |\t|b|");
  CU_ASSERT_STRING_EQUAL(cut("a  "), "a|  |");
  CU_ASSERT_STRING_EQUAL(cut(" 's'sub 'S"), " '|s|'s|ub| '|S|");
  CU_ASSERT_STRING_EQUAL(cut("x1!? ...y"), "x|1|!?| ...|y|");
  CU_ASSERT_STRING_EQUAL(cut(" <|endoftext|>  <|endoftext|<|endoftext|>x"), " |<|endoftext|>| | <||endoftext|||<|endoftext|>|x|");
  CU_ASSERT_STRING_EQUAL(cut(""), "");
}

static void alphabet(void) {
  bool seen[0x144] = {false};
  for (int byte = 0; byte < 256; byte++) {
    int32_t code = heed_byte_character((unsigned char)byte);
    CU_ASSERT_TRUE_FATAL(code > 32 && code < 0x144 && !seen[code]);
    seen[code] = true;
    CU_ASSERT_EQUAL(heed_byte_of_character(code), byte);
  }
  CU_ASSERT_EQUAL(heed_byte_character(' '), 0x120);
  CU_ASSERT_EQUAL(heed_byte_character('\n'), 0x10A);
  CU_ASSERT_EQUAL(heed_byte_character(0xAD), 0x143);
  CU_ASSERT_EQUAL(heed_byte_of_character(0x144), -1);
  CU_ASSERT_EQUAL(heed_byte_of_character(' '), -1);
  CU_ASSERT_EQUAL(heed_byte_of_character(-1), -1);
}

/* Texts of all that matters: wherever one is cut, its parts have the pre-tokens of the whole. */
static void cuts(void) {
  static const char *const units[] = {" ",  "  ", "\t", "\u3000", "a", "bc", "1",  "!", "'",      "'s", "<|endoftext|>", "<|endof",
                                      "|>", "x1", "?!", "\u00E9", "4", "ll", "\r", "d", "\u4E2D", ",",  "\u2028",        "\U0001F600"};
  enum { ROUNDS = 20000 };
  uint32_t state = 5;
  int singles = 0;
  for (int round = 0; round < ROUNDS; round++) {
    char text[512], whole[2048], parts[2048], both[4096];
    size_t bytes = 0, width = round % 2 ? sizeof units / sizeof *units : 2;
    const char *const *from = round % 2 ? units : units + 4 + round % 16;
    while (bytes < 60) {
      const char *unit = from[((state = state * 1664525u + 1013904223u) >> 10) % width];
      memcpy(text + bytes, unit, strlen(unit));
      bytes += strlen(unit);
    }
    text[bytes] = 0;
    size_t place = heed_pretokens_cut(text, bytes);
    CU_ASSERT_TRUE_FATAL(place > 0 && place < bytes && ((unsigned char)text[place] & 0xC0) != 0x80);
    strcpy(text + bytes, round % 3 ? "text|> x" : "a"); /* whatever follows */
    snprintf(whole, sizeof whole, "%s", cut(text));
    snprintf(parts, sizeof parts, "%s", cut(text + place));
    text[place] = 0;
    snprintf(both, sizeof both, "%s%s", cut(text), parts);
    bool single = strcspn(whole, "|") > 40; /* one that fills the text, but for the last bytes */
    singles += single;
    bool equal = single || strcmp(whole, both) == 0;
    if (!equal)
      fprintf(stderr, "\n%s\n%s\n", whole, both);
    CU_ASSERT_TRUE(equal);
  }
  CU_ASSERT_TRUE(singles < ROUNDS / 4);
}

HEED_TESTS({"every code point", every_code_point}, {"pattern", pattern}, {"alphabet", alphabet}, {"cuts", cuts})
