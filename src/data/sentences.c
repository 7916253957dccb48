#include "data/sentences.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

/* Never the last word of a sentence, or hardly ever. */
static const char *const titles[] = {"mr",   "mrs", "ms",  "dr",  "prof",   "st",  "sr",   "jr",  "mt",   "rev",    "gen", "col",
                                     "capt", "lt",  "sgt", "maj", "gov",    "sen", "rep",  "hon", "pres", "messrs", "mme", "mlle",
                                     "vs",   "viz", "cf",  "al",  "approx", "esp", "incl", "ed",  "eds",  "trans"};
/* The same before a number only. */
static const char *const numbered[] = {"no",  "nos", "p",   "pp",  "fig",  "figs", "vol", "vols", "ch",  "chap",
                                       "sec", "eq",  "art", "par", "ver",  "ca",   "jan", "feb",  "mar", "apr",
                                       "jun", "jul", "aug", "sep", "sept", "oct",  "nov", "dec"};

static bool is_one_of(int32_t code, const char *set) {
  char bytes[5] = {0};
  return code > 0 && (heed_utf8_write(bytes, code), strstr(set, bytes) != NULL);
}

static bool is_space(int32_t code) {
  return code == ' ' || code == '\t' || code == '\r' || code == '\n' || code == 0xA0 || code == 0x3000 ||
         (code >= 0x2000 && code <= 0x200A);
}

static bool is_stop(int32_t code) {
  return code == '.' || code == '!' || code == '?' || code == 0x2026;
}

static bool is_wide_stop(int32_t code) {
  return code == 0x3002 || code == 0xFF01 || code == 0xFF1F;
}

static bool is_closing(int32_t code) {
  return is_one_of(code, "\"')]}”’»›」』）");
}

static bool is_letter(unsigned char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/* Whether the character that ends at `end` is a letter beyond ASCII. */
static bool is_wide_letter(const char *text, size_t from, size_t end) {
  size_t at = end;
  int32_t code;
  while (at > from && end - at < 4 && ((unsigned char)text[at - 1] & 0xC0) == 0x80)
    at--;
  if (at == end || at == from)
    return false;
  heed_utf8_read((const unsigned char *)text + at - 1, (const unsigned char *)text + end, &code);
  return code >= 128 && utf8proc_category(code) <= UTF8PROC_CATEGORY_LO && utf8proc_category(code) != UTF8PROC_CATEGORY_CN;
}

static bool is_in(const char *word, size_t length, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strlen(list[i]) == length && strncasecmp(word, list[i], length) == 0)
      return true;
  return false;
}

/* Whether the full stop at `stop` belongs to the word before it. */
static bool is_abbreviation(const char *text, size_t from, size_t stop, bool digit_follows) {
  size_t begin = stop;
  while (begin > from && (is_letter((unsigned char)text[begin - 1]) || text[begin - 1] == '.'))
    begin--;
  const char *word = text + begin;
  size_t length = stop - begin;
  if (length == 0 || is_wide_letter(text, from, begin))
    return false;
  if (length == 1)
    return *word != 'I' && *word != '.' && (*word <= 'Z' || digit_follows);
  if (length >= 3 && word[1] == '.' && word[length - 2] == '.') /* U.S  i.e  a.m */
    return true;
  return is_in(word, length, titles, sizeof titles / sizeof *titles) ||
         (digit_follows && is_in(word, length, numbered, sizeof numbered / sizeof *numbered));
}

/* Whether there is nothing but digits between the two places. */
static bool is_number(const char *text, size_t from, size_t end) {
  size_t at = from;
  while (at < end && text[at] >= '0' && text[at] <= '9')
    at++;
  return at == end && at > from;
}

static size_t skip(const char *text, size_t bytes, size_t at, bool (*which)(int32_t)) {
  while (at < bytes) {
    int32_t code;
    int length = heed_utf8_read((const unsigned char *)text + at, (const unsigned char *)text + bytes, &code);
    if (!which(code))
      break;
    at += (size_t)length;
  }
  return at;
}

typedef enum opening { NO_SENTENCE, WITH_LETTER, WITH_DIGIT } opening;

/* What the text at `at` looks like as the beginning of a sentence. */
static opening begins_sentence(const char *text, size_t bytes, size_t at) {
  bool quoted = false;
  while (at < bytes) {
    int32_t code;
    at += (size_t)heed_utf8_read((const unsigned char *)text + at, (const unsigned char *)text + bytes, &code);
    utf8proc_category_t category = utf8proc_category(code < 0 ? 0 : code);
    if (category == UTF8PROC_CATEGORY_LU || category == UTF8PROC_CATEGORY_LT)
      return WITH_LETTER;
    if (category == UTF8PROC_CATEGORY_ND)
      return WITH_DIGIT;
    if (is_one_of(code, "\"'“‘«‹„‚「『"))
      quoted = true;
    else if (!is_one_of(code, "([{¿¡"))
      break;
  }
  return quoted ? WITH_LETTER : NO_SENTENCE;
}

size_t heed_sentence_end(const char *text, size_t bytes, size_t from) {
  const unsigned char *first = (const unsigned char *)text, *end = first + bytes;
  size_t begin = skip(text, bytes, from, is_space), at = begin;
  while (at < bytes) {
    int32_t code;
    while (at < bytes && first[at] < 128 && !is_stop(first[at]))
      at++;
    if (at == bytes)
      break;
    size_t stop = at;
    at += (size_t)heed_utf8_read(first + at, end, &code);
    if (is_wide_stop(code)) {
      at = skip(text, bytes, at, is_wide_stop);
      return skip(text, bytes, skip(text, bytes, at, is_closing), is_space);
    }
    if (!is_stop(code))
      continue;
    at = skip(text, bytes, at, is_stop);
    bool single = at == stop + 1 && code == '.';
    size_t closed = skip(text, bytes, at, is_closing), next = skip(text, bytes, closed, is_space);
    if (next == closed || next == bytes)
      continue;
    opening what = begins_sentence(text, bytes, next);
    if (what == NO_SENTENCE || (single && (is_number(text, begin, stop) || is_abbreviation(text, begin, stop, what == WITH_DIGIT))))
      continue;
    return next;
  }
  return bytes;
}
