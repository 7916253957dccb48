/** The cases of an oracle: lines of fields with tabs between; the first is a text, \xHH for bytes that do not print. */
#ifndef HEED_TESTS_DATA_CASES_H
#define HEED_TESTS_DATA_CASES_H

#include <stdlib.h>
#include <string.h>

#include "heed/tokenizer.h"
#include "test.h"

/** \xHH to bytes, in place.  Returns their number. */
static inline size_t cases_unescape(char *text) {
  size_t length = 0;
  for (char *at = text; *at;) {
    if (at[0] == '\\' && at[1] == 'x') {
      char digits[3] = {at[2], at[3], 0};
      text[length++] = (char)strtol(digits, NULL, 16);
      at += 4;
    } else {
      text[length++] = *at++;
    }
  }
  return length;
}

/** Encodes a text and compares with the ids of a field.  \param[out] ids  what it gave, `count` of them; the caller frees them */
static inline void cases_check_ids(const heed_tokenizer *tokenizer, const char *name, const char *text, size_t bytes, char *expected,
                                   int32_t **ids, int64_t *count) {
  int64_t capacity = 0, at = 0;
  bool equal = true;
  *ids = NULL;
  /* a copy of exactly this size, so that the sanitizer sees a read beyond the end */
  char *exact = malloc(bytes ? bytes : 1);
  memcpy(exact, text, bytes);
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_encode(tokenizer, exact, bytes, ids, &capacity, count), HEED_OK);
  for (char *save, *word = strtok_r(expected, " \n", &save); word; word = strtok_r(NULL, " \n", &save), at++)
    equal = equal && at < *count && (*ids)[at] == atoi(word);
  equal = equal && at == *count;
  if (!equal)
    fprintf(stderr, "\n%s, %s: other ids than the oracle's\n", name, heed_tokenizer_is_cased(tokenizer) ? "cased" : "uncased");
  CU_ASSERT_TRUE(equal);
  free(exact);
}

#endif
