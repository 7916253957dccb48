#include "measure/synthetic_text.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "heed/random.h"

enum { WORDS = 16384, LONGEST_WORD = 32, PARAGRAPHS = 10, SENTENCES = 6 };

/* Draw number `n` of what is made for `use`. */
static uint32_t draw(int64_t n, uint32_t use) {
  return heed_philox((uint32_t)n, (uint32_t)(n >> 32), use, 1, 0, HEED_FOR_SYNTHETIC).word[0];
}

/* The word of a rank: two to four syllables of its own draws, fewer for those that are frequent. */
static int spell(char word[LONGEST_WORD], int64_t rank) {
  static const char *const heads[] = {"b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "w", "st", "th"};
  static const char *const tails[] = {"a", "e", "i", "o", "u", "an", "en", "er", "in", "on", "ed", "al", "ing", "es", "ea", "ou"};
  int length = 0, syllables = rank < 64 ? 1 : rank < 1024 ? 2 : 2 + (int)(rank % 3);
  for (int i = 0; i < syllables; i++) {
    uint32_t bits = draw(8 * rank + i, 1);
    length += snprintf(word + length, (size_t)(LONGEST_WORD - length), "%s%s", heads[bits >> 28], tails[bits >> 24 & 15]);
  }
  return length;
}

/* A sentence with a capital at its beginning and a full stop.  \param[in,out] n  draws made */
static int64_t write_sentence(FILE *out, int64_t *n) {
  char word[LONGEST_WORD];
  int64_t words = 5 + heed_below(draw((*n)++, 2), 20), bytes = 0;
  for (int64_t i = 0; i < words; i++) {
    int length = spell(word, (int64_t)pow(WORDS, heed_uniform(draw((*n)++, 2))) - 1); /* of density 1/rank */
    if (i == 0)
      word[0] = (char)(word[0] - 'a' + 'A');
    bytes += fprintf(out, "%.*s%s", length, word, i < words - 1 ? " " : ". ");
  }
  return bytes;
}

heed_status heed_synthetic_text(FILE *out, int64_t bytes) {
  int64_t n = 0, written = 0;
  errno = 0;
  while (written < bytes && !ferror(out))
    for (int paragraph = 0; paragraph < PARAGRAPHS; paragraph++) {
      for (int sentence = 0; sentence < SENTENCES; sentence++)
        written += write_sentence(out, &n);
      written += fprintf(out, paragraph < PARAGRAPHS - 1 ? "\n" : "\n\n");
    }
  if (fflush(out) == 0 && !ferror(out))
    return HEED_OK;
  return heed_error(HEED_IO, "the text that is made up could not be written: %s", strerror(errno));
}
