#include "data/words.h"

#include <string.h>
#include <utf8proc.h>

#include "data/utf8.h"

const char *const heed_special_names[HEED_SPECIALS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

typedef enum character_class { DROPPED, SPACE, PUNCTUATION, IDEOGRAPH, LETTER } character_class;

/* The most code points of a full canonical decomposition is 4 (Unicode's stability policy bounds it); utf8proc asks for room. */
enum { DECOMPOSED = 16 };

static inline bool is_ascii_letter(unsigned char c) {
  return (unsigned)(c | 0x20) - 'a' < 26 || (unsigned)c - '0' < 10;
}

static character_class ascii_class(unsigned char c) {
  if (is_ascii_letter(c))
    return LETTER;
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
    return SPACE;
  return c > ' ' && c < 127 ? PUNCTUATION : DROPPED;
}

static bool is_ideograph(int32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

static bool is_punctuation(int32_t c) {
  if (c < 128)
    return ascii_class((unsigned char)c) == PUNCTUATION;
  utf8proc_category_t category = utf8proc_category(c);
  return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

/* Of a character before normalisation; unassigned ones stay, as in the source. */
static character_class wide_class(int32_t c) {
  if (is_ideograph(c))
    return IDEOGRAPH;
  switch (utf8proc_category(c)) {
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CO:
    return DROPPED;
  case UTF8PROC_CATEGORY_ZS:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
    return SPACE;
  default:
    return c == 0xFFFD ? DROPPED : LETTER;
  }
}

bool heed_words_break_around(int32_t code) {
  if (code < 128)
    return code >= 0 && (ascii_class((unsigned char)code) == SPACE || ascii_class((unsigned char)code) == PUNCTUATION);
  character_class class = wide_class(code);
  return class == SPACE || class == IDEOGRAPH || (class == LETTER && is_punctuation(code));
}

/* Uncased: the canonical decomposition in lower case.  Nonspacing marks are still among it. */
static int normalise(int32_t code, bool cased, int32_t *out) {
  utf8proc_ssize_t count = cased ? 0 : utf8proc_decompose_char(code, out, DECOMPOSED, UTF8PROC_DECOMPOSE, NULL);
  if (count < 1 || count > DECOMPOSED) { /* cased (no character is larger decomposed) */
    out[0] = code;
    return 1;
  }
  for (int i = 0; i < (int)count; i++)
    out[i] = utf8proc_tolower(out[i]);
  return (int)count;
}

static bool is_mark(int32_t code) {
  return code >= 128 && utf8proc_category(code) == UTF8PROC_CATEGORY_MN;
}

static int order_of(int32_t code) {
  return code < 128 ? 0 : utf8proc_get_property(code)->combining_class;
}

/* NFD orders a run of combining characters by their class (stable).  Few that are not Mn have one: Hangul tone marks, musical stems,
 * some viramas.  A mark of class 0
 * stops it, although it is dropped afterwards: it leaves a fence.  The last character of the word, `length` bytes of class `order`, moves
 * before those of a higher class. */
static void reorder(heed_word *word, int length, int order) {
  int place = word->bytes - length;
  char moved[4];
  while (place > word->fence) {
    int before = place - 1;
    int32_t code;
    while (before > word->fence && ((unsigned char)word->text[before] & 0xC0) == 0x80)
      before--;
    heed_utf8_read((const unsigned char *)word->text + before, (const unsigned char *)word->text + place, &code);
    if (code < 0 || order_of(code) <= order)
      break;
    place = before;
  }
  memcpy(moved, word->text + word->bytes - length, (size_t)length);
  memmove(word->text + place + length, word->text + place, (size_t)(word->bytes - length - place));
  memcpy(word->text + place, moved, (size_t)length);
}

static void append(heed_word *word, int32_t code, bool cased) {
  if (++word->characters > HEED_WORD_CHARACTERS)
    return;
  int length = heed_utf8_write(word->text + word->bytes, code);
  word->bytes += length;
  int order = cased ? 0 : order_of(code);
  if (order > 0)
    reorder(word, length, order);
}

static int special_at(const heed_words *words) {
  for (int i = 0; i < HEED_SPECIALS; i++) {
    size_t length = strlen(heed_special_names[i]);
    if ((size_t)(words->end - words->at) >= length && memcmp(words->at, heed_special_names[i], length) == 0)
      return i;
  }
  return -1;
}

/* Letters and digits of ASCII, most of most texts. */
static void take_letters(heed_words *words, heed_word *word) {
  while (words->at < words->end && is_ascii_letter(*words->at)) {
    unsigned char byte = *words->at++;
    if (!words->cased && byte >= 'A' && byte <= 'Z')
      byte |= 0x20;
    if (++word->characters <= HEED_WORD_CHARACTERS)
      word->text[word->bytes++] = (char)byte;
  }
}

/* ASCII punctuation: ends the word before it, or is the word.  Always returns true, for heed_words_next. */
static bool take_punctuation(heed_words *words, heed_word *word) {
  if (word->characters > 0)
    return true; /* read again as the next word */
  if (*words->at == '[' && (word->special = special_at(words)) >= 0) {
    words->at += strlen(heed_special_names[word->special]);
    return true;
  }
  append(word, *words->at++, true);
  return true;
}

/* A character beyond ASCII.  Returns whether the word is complete. */
static bool take_wide(heed_words *words, heed_word *word) {
  int32_t code, parts[DECOMPOSED];
  int length = heed_utf8_read(words->at, words->end, &code), first = 0;
  character_class class = code < 0 ? DROPPED : wide_class(code);
  int count = class == DROPPED || class == SPACE ? 0 : normalise(code, words->cased, parts);
  while (!words->cased && first < count && is_mark(parts[first]))
    first++;
  bool alone = class == IDEOGRAPH || (first < count && is_punctuation(parts[first]));
  if (alone && word->characters > 0)
    return true; /* read again as the next word */
  words->at += length;
  for (int i = 0; i < count; i++) {
    if (words->cased || !is_mark(parts[i]))
      append(word, parts[i], words->cased);
    else if (order_of(parts[i]) == 0)
      word->fence = word->bytes;
  }
  return alone || (class == SPACE && word->characters > 0);
}

heed_words heed_words_of(const char *text, size_t bytes, bool cased) {
  const unsigned char *at = (const unsigned char *)text;
  return (heed_words){at, at + bytes, cased};
}

bool heed_words_next(heed_words *words, heed_word *word) {
  word->bytes = word->fence = 0;
  word->characters = 0;
  word->special = -1;
  while (words->at < words->end) {
    unsigned char byte = *words->at;
    character_class class = byte < 128 ? ascii_class(byte) : DROPPED;
    bool complete = false;
    if (byte >= 128) {
      complete = take_wide(words, word);
    } else if (class == LETTER) {
      take_letters(words, word);
    } else if (class == PUNCTUATION) {
      complete = take_punctuation(words, word);
    } else {
      words->at++;
      complete = class == SPACE && word->characters > 0;
    }
    if (complete)
      return true;
  }
  return word->characters > 0;
}
