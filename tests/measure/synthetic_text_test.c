/* Text made up: the same each time, ASCII, of the size asked for, its words as often as Zipf has them. */
#include "measure/synthetic_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "test.h"

static char *make(int64_t asked, size_t *bytes) {
  char *text;
  FILE *out = open_memstream(&text, bytes);
  CU_ASSERT_PTR_NOT_NULL_FATAL(out);
  CU_ASSERT_EQUAL_FATAL(heed_synthetic_text(out, asked), HEED_OK);
  fclose(out);
  return text;
}

static void reads_as_text_does(void) {
  size_t bytes, again;
  char *text = make(200000, &bytes), *other = make(200000, &again);
  CU_ASSERT(bytes >= 200000 && bytes < 220000);
  CU_ASSERT(bytes == again && memcmp(text, other, bytes) == 0);
  int64_t lines = 0, documents = 0, sentences = 0;
  for (size_t i = 0; i < bytes; i++) {
    lines += text[i] == '\n';
    documents += i > 0 && text[i] == '\n' && text[i - 1] == '\n';
    sentences += text[i] == '.';
    if (!isalpha((unsigned char)text[i]) && !strchr(" .\n", text[i]))
      CU_FAIL_FATAL("a character that is none of text's");
  }
  CU_ASSERT(documents > 0);
  CU_ASSERT_EQUAL(lines, 11 * documents);
  CU_ASSERT_EQUAL(sentences, 60 * documents);
  free(text);
  free(other);
}

static int compare(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of 16,384 words at 1/rank the first have 1/ln 16384 · ln 2 = 7% each of the draws or less; most words stand seldom. */
static void some_words_are_frequent(void) {
  size_t bytes, count = 0, different = 0, most = 0;
  char *text = make(1 << 20, &bytes), **words = malloc(bytes * sizeof *words);
  CU_ASSERT_PTR_NOT_NULL_FATAL(words);
  for (char *word = strtok(text, " .\n"); word; word = strtok(NULL, " .\n"))
    words[count++] = word;
  qsort(words, count, sizeof *words, compare);
  for (size_t i = 0, first = 0; i < count; i++)
    if (i + 1 == count || strcmp(words[i], words[i + 1]) != 0) {
      most = i + 1 - first > most ? i + 1 - first : most;
      first = i + 1;
      different++;
    }
  CU_ASSERT(different > 8000 && different < 20000);
  CU_ASSERT(most > count / 25 && most < count / 8);
  free(words);
  free(text);
}

static void says_that_it_could_not_write(void) {
  FILE *full = fopen("/dev/full", "w");
  CU_ASSERT_PTR_NOT_NULL_FATAL(full);
  CU_ASSERT_EQUAL(heed_synthetic_text(full, 100000), HEED_IO);
  fclose(full);
}

HEED_TESTS({"reads as text does", reads_as_text_does}, {"some words are frequent", some_words_are_frequent},
           {"says that it could not write", says_that_it_could_not_write})
