#include "data/words.h"

#include <string.h>

#include "base/utf8.h"
#include "data/characters.h"

const char *const heed_special_names[HEED_SPECIALS] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

static inline bool is_ascii_letter(unsigned char c) {
  return (unsigned)(c | 0x20) - 'a' < 26 || (unsigned)c - '0' < 10;
}

static heed_character_class ascii_class(unsigned char c) {
  if (is_ascii_letter(c))
    return HEED_LETTER;
  if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
    return HEED_SPACE;
  return c > ' ' && c < 127 ? HEED_PUNCTUATION : HEED_DROPPED;
}

static heed_character_class class_of(int32_t code) {
  return code < 128 ? ascii_class((unsigned char)code) : heed_character_class_of(code);
}

/* Whether a word ends before and after this character wherever it stands. */
static bool breaks_around(int32_t code) {
  heed_character_class class = code < 0 ? HEED_DROPPED : class_of(code);
  return class == HEED_SPACE || class == HEED_IDEOGRAPH || class == HEED_PUNCTUATION;
}

/* NFD orders a run of combining characters by their class (stable).  Few that are not Mn have one: Hangul tone marks, musical stems,
 * some viramas.  A mark of class 0 stops it, although it is dropped afterwards: it leaves a fence.  The last character of the word,
 * `length` bytes of class `order`, moves before those of a higher class. */
static void reorder(heed_word *word, int length, int order) {
  int place = word->bytes - length;
  char moved[4];
  while (place > word->fence) {
    int before = place - 1;
    int32_t code;
    while (before > word->fence && ((unsigned char)word->text[before] & 0xC0) == 0x80)
      before--;
    heed_utf8_read((const unsigned char *)word->text + before, (const unsigned char *)word->text + place, &code);
    if (code < 0 || heed_character_order(code) <= order)
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
  int order = cased ? 0 : heed_character_order(code);
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

/* A character as it stands in the word. */
typedef struct part {
  int32_t code;
  heed_character_class class;
} part;

/* What a character of this class becomes: itself, or its decomposition in lower case.  Returns the number of parts. */
static int normalise(int32_t code, heed_character_class class, bool cased, part parts[HEED_DECOMPOSED]) {
  int32_t codes[HEED_DECOMPOSED];
  if (class == HEED_DROPPED || class == HEED_SPACE)
    return 0;
  if (cased) {
    parts[0] = (part){code, class == HEED_MARK ? HEED_LETTER : class};
    return 1;
  }
  int count = heed_character_decompose(code, codes);
  for (int i = 0; i < count; i++)
    parts[i] = (part){codes[i], codes[i] == code ? class : class_of(codes[i])};
  return count;
}

/* A character beyond ASCII.  Returns whether the word is complete. */
static bool take_wide(heed_words *words, heed_word *word) {
  int32_t code;
  part parts[HEED_DECOMPOSED];
  int length = heed_utf8_read(words->at, words->end, &code), first = 0;
  heed_character_class class = code < 0 ? HEED_DROPPED : heed_character_class_of(code);
  int count = normalise(code, class, words->cased, parts);
  while (first < count && parts[first].class == HEED_MARK)
    first++;
  bool alone = class == HEED_IDEOGRAPH || (first < count && parts[first].class == HEED_PUNCTUATION);
  if (alone && word->characters > 0)
    return true; /* read again as the next word */
  words->at += length;
  for (int i = 0; i < count; i++) {
    if (parts[i].class != HEED_MARK)
      append(word, parts[i].code, words->cased);
    else if (heed_character_order(parts[i].code) == 0)
      word->fence = word->bytes;
  }
  return alone || (class == HEED_SPACE && word->characters > 0);
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
    heed_character_class class = byte < 128 ? ascii_class(byte) : HEED_DROPPED;
    bool complete = false;
    if (byte >= 128) {
      complete = take_wide(words, word);
    } else if (class == HEED_LETTER) {
      take_letters(words, word);
    } else if (class == HEED_PUNCTUATION) {
      complete = take_punctuation(words, word);
    } else {
      words->at++;
      complete = class == HEED_SPACE && word->characters > 0;
    }
    if (complete)
      return true;
  }
  return word->characters > 0;
}

size_t heed_words_cut(const char *text, size_t bytes) {
  for (size_t at = bytes; at > 0; at--)
    if (text[at - 1] == ' ' || text[at - 1] == '\t')
      return at;
  const unsigned char *first = (const unsigned char *)text, *end = first + bytes, *at = first, *beside = first, *whole = first;
  while (at < end) {
    int32_t code;
    at += heed_utf8_read(at, end, &code);
    if (end - at >= 4) /* the last bytes may be the beginning of a character */
      whole = at;
    if (whole == at && code != '[' && breaks_around(code)) /* a special token begins with [ */
      beside = at;
  }
  return (size_t)((beside > first ? beside : whole) - first);
}
