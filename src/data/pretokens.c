#include "data/pretokens.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "data/pretoken_exceptions.h"

enum {
  END_OF_TEXT_BYTES = sizeof HEED_END_OF_TEXT - 1,
  MARGIN = END_OF_TEXT_BYTES + 4,
  EXCEPTIONS = sizeof pretoken_exceptions / sizeof *pretoken_exceptions
};

static heed_pretoken_class ascii_class(unsigned char c) {
  if ((unsigned)(c | 0x20) - 'a' < 26)
    return HEED_PRETOKEN_LETTER;
  if ((unsigned)c - '0' < 10)
    return HEED_PRETOKEN_NUMBER;
  return c == ' ' || (c >= '\t' && c <= '\r') ? HEED_PRETOKEN_SPACE : HEED_PRETOKEN_OTHER;
}

/* Unicode's White_Space, which has not changed for long. */
static bool is_space(int32_t c) {
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
         c == 0x205F || c == 0x3000;
}

/* The row of the table that holds a code point, by bisection, or NULL. */
static const struct pretoken_exception *exception_of(int32_t code) {
  const struct pretoken_exception *row = pretoken_exceptions;
  if (code < row->first)
    return NULL;
  for (int rows = EXCEPTIONS, half; rows > 1; rows -= half) { /* it is one of the `rows` from here on, if any */
    half = rows / 2;
    row += code >= row[half].first ? half : 0;
  }
  return code <= row->last ? row : NULL;
}

heed_pretoken_class heed_pretoken_class_of(int32_t code) {
  if (code < 128)
    return code < 0 ? HEED_PRETOKEN_OTHER : ascii_class((unsigned char)code);
  if (is_space(code))
    return HEED_PRETOKEN_SPACE;
  const struct pretoken_exception *exception = exception_of(code);
  if (exception)
    return exception->class;
  utf8proc_category_t category = utf8proc_category(code);
  if (category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO)
    return HEED_PRETOKEN_LETTER;
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO ? HEED_PRETOKEN_NUMBER : HEED_PRETOKEN_OTHER;
}

/* The class of the character at `at` < `end`.  \param[out] next  the place behind it */
static inline heed_pretoken_class read_class(const char *at, const char *end, const char **next) {
  if ((unsigned char)*at < 128) {
    *next = at + 1;
    return ascii_class((unsigned char)*at);
  }
  int32_t code;
  *next = at + heed_utf8_read((const unsigned char *)at, (const unsigned char *)end, &code);
  return heed_pretoken_class_of(code);
}

/* The end of the run of characters of a class.  \param[out] last  where its last character begins, `at` when there is none */
static const char *run_end(const char *at, const char *end, heed_pretoken_class class, const char **last) {
  const char *next;
  *last = at;
  while (at < end && read_class(at, end, &next) == class) {
    *last = at;
    at = next;
  }
  return at;
}

/* The length of 's 't 're 've 'm 'll 'd at `at`, 0 for none. */
static size_t contraction(const char *at, const char *end) {
  static const char *const endings[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t length = strlen(endings[i]);
    if ((size_t)(end - at) >= length && memcmp(at, endings[i], length) == 0)
      return length;
  }
  return 0;
}

/* The end of the pre-token that begins at `at` < `end`. */
static const char *pretoken_end(const char *at, const char *end) {
  const char *next, *behind, *last;
  size_t length = *at == '\'' ? contraction(at, end) : 0;
  if (length > 0)
    return at + length;
  heed_pretoken_class class = read_class(at, end, &next);
  if (*at == ' ' && next < end && (class = read_class(next, end, &behind)) != HEED_PRETOKEN_SPACE)
    return run_end(behind, end, class, &last); /* a space goes with what follows it */
  if (class != HEED_PRETOKEN_SPACE)
    return run_end(next, end, class, &last);
  const char *stop = run_end(next, end, HEED_PRETOKEN_SPACE, &last);
  return stop == end || stop == next ? stop : last; /* of more than one the last is left to what follows */
}

/* Where the next <|endoftext|> begins, or `end`. */
static const char *find_section(const char *at, const char *end) {
  const char *found = at < end ? memmem(at, (size_t)(end - at), HEED_END_OF_TEXT, END_OF_TEXT_BYTES) : NULL;
  return found ? found : end;
}

heed_pretokens heed_pretokens_of(const char *text, size_t bytes) {
  return (heed_pretokens){text, find_section(text, text + bytes), text + bytes};
}

bool heed_pretokens_next(heed_pretokens *pretokens, heed_pretoken *pretoken) {
  const char *at = pretokens->at;
  if (at == pretokens->end)
    return false;
  bool special = at == pretokens->section;
  const char *end = special ? at + END_OF_TEXT_BYTES : pretoken_end(at, pretokens->section);
  *pretoken = (heed_pretoken){at, (size_t)(end - at), special};
  pretokens->at = end;
  if (special)
    pretokens->section = find_section(end, pretokens->end);
  return true;
}

static bool is_white(const heed_pretoken *p) {
  const char *last;
  return run_end(p->text, p->text + p->bytes, HEED_PRETOKEN_SPACE, &last) == p->text + p->bytes;
}

/* A pre-token depends on nothing before it, and on no more behind it than a character, or the beginning of <|endoftext|>: so each end of
 * one is a place to cut, but for the last bytes, which may go on otherwise, and behind white space, whose last character stands alone or
 * not by what follows. */
size_t heed_pretokens_cut(const char *text, size_t bytes) {
  const size_t last = bytes > MARGIN ? bytes - MARGIN : 0;
  size_t place = 0;
  for (size_t at = last; at > 1; at--) /* a space behind a character that prints begins one: no need to look from the start */
    if (text[at] == ' ' && text[at - 1] > ' ' && text[at - 1] < 127)
      return at;
  heed_pretoken pretoken;
  heed_pretokens pretokens = heed_pretokens_of(text, bytes);
  while (heed_pretokens_next(&pretokens, &pretoken) && (size_t)(pretokens.at - text) <= last)
    place = is_white(&pretoken) ? place : (size_t)(pretokens.at - text);
  if (place > 0)
    return place;
  for (place = last; place > 1 && last - place < 3 && ((unsigned char)text[place] & 0xC0) == 0x80;)
    place--;
  return place > 0 ? place : bytes;
}
