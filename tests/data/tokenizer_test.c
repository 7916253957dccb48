/* The tokenizer against Hugging Face's `tokenizers` 0.23 (BertWordPieceTokenizer): tokenizer_cases.txt holds, a case a line and
 * separated by tabs, a text (\xHH for bytes that do not print), how many U+FFFD stand for its ill-formed bytes, and the ids that the
 * oracle gives it uncased and cased with tokenizer_vocab.txt (tests/parity/make_tokenizer_fixture.py writes them).  Then vocabularies that
 * must be refused, and threads. */
#include "heed/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/cases.h"
#include "data/folder.h"
#include "test.h"

static const char small[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\nwant\n##ed\n,\nrunn\n##ing\nzoë\n";

static heed_tokenizer *open_cased(const char *path, bool cased) {
  heed_tokenizer *tokenizer = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&tokenizer, path, cased), HEED_OK);
  return tokenizer;
}

static void check_ids(const heed_tokenizer *tokenizer, const char *name, const char *text, size_t bytes, char *expected) {
  int32_t *ids;
  int64_t count;
  cases_check_ids(tokenizer, name, text, bytes, expected, &ids, &count);
  free(ids);
}

static void like_the_oracle(void) {
  heed_tokenizer *uncased = open_cased(HEED_SOURCE "/tests/data/tokenizer_vocab.txt", false);
  heed_tokenizer *cased = open_cased(HEED_SOURCE "/tests/data/tokenizer_vocab.txt", true);
  FILE *file = fopen(HEED_SOURCE "/tests/data/tokenizer_cases.txt", "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  char *line = NULL;
  size_t room = 0;
  int cases = 0;
  for (; getline(&line, &room, file) >= 0; cases++) {
    char *text = line, *fields[3], *at = line;
    for (int i = 0; i < 3; i++) {
      at = strchr(at, '\t');
      CU_ASSERT_PTR_NOT_NULL_FATAL(at);
      *at++ = 0;
      fields[i] = at;
    }
    char *name = strdup(text);
    size_t bytes = cases_unescape(text);
    CU_ASSERT_EQUAL(heed_tokenizer_replaced(text, bytes), atoi(fields[0]));
    check_ids(uncased, name, text, bytes, fields[1]);
    check_ids(cased, name, text, bytes, fields[2]);
    free(name);
  }
  CU_ASSERT_TRUE(cases > 60);
  free(line);
  fclose(file);
  heed_tokenizer_free(uncased);
  heed_tokenizer_free(cased);
}

/* The example of the source, and what the calls say about tokens. */
static void source_example(void) {
  heed_tokenizer *t;
  int32_t *ids = NULL;
  int64_t capacity = 0, count;
  char *text;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&t, small, strlen(small), "small", false), HEED_OK);
  const char input[] = "UNwant\u00E9d,running unaffable";
  const int32_t expected[] = {1, 10, 11, 12, 5, 6, 7}; /* un##want is not there: [UNK] */
  CU_ASSERT_EQUAL(heed_tokenizer_encode(t, input, strlen(input), &ids, &capacity, &count), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(count, 7);
  CU_ASSERT_EQUAL(memcmp(ids, expected, sizeof expected), 0);
  CU_ASSERT_EQUAL(heed_tokenizer_encode(t, "unaffable wanted", 16, &ids, &capacity, &count), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(count, 5);
  CU_ASSERT_EQUAL(heed_tokenizer_decode(t, ids, count, &text), HEED_OK);
  CU_ASSERT_STRING_EQUAL(text, "unaffable wanted");
  free(text);
  size_t behind;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_decode_behind(t, ids, 1, count, &text, &behind), HEED_OK); /* what "un" goes on with */
  CU_ASSERT_STRING_EQUAL(text, "affable wanted");
  CU_ASSERT_EQUAL(behind, 14);
  free(text);
  CU_ASSERT_EQUAL(heed_tokenizer_decode(t, (const int32_t[]){14}, 1, &text), HEED_INVALID);
  CU_ASSERT_EQUAL(heed_tokenizer_size(t), 14);
  CU_ASSERT_EQUAL(heed_tokenizer_find(t, "##able"), 7);
  CU_ASSERT_EQUAL(heed_tokenizer_find(t, "able"), -1);
  CU_ASSERT_EQUAL(heed_tokenizer_find(t, "runnin"), -1);
  CU_ASSERT_EQUAL(heed_tokenizer_find(t, ""), -1);
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_token(t, 13), "zo\u00EB");
  CU_ASSERT_PTR_NULL(heed_tokenizer_token(t, -1));
  CU_ASSERT_TRUE(heed_tokenizer_is_continuation(t, 6) && !heed_tokenizer_is_continuation(t, 5));
  CU_ASSERT_TRUE(heed_tokenizer_is_special(t, 4) && !heed_tokenizer_is_special(t, 5));
  CU_ASSERT_EQUAL(heed_tokenizer_special(t)->mask, 4);
  size_t bytes;
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_token(t, 0), "[PAD]");
  const char *whole = heed_tokenizer_text(t, &bytes);
  CU_ASSERT_TRUE(bytes == strlen(small) && strcmp(whole, small) == 0);
  CU_ASSERT_EQUAL(heed_tokenizer_hash(t), heed_hash(small, strlen(small)));
  CU_ASSERT_EQUAL(heed_tokenizer_kind(t), HEED_WORDPIECE);
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_kind_name(t), "wordpiece");
  CU_ASSERT_EQUAL(heed_tokenizer_token_bytes(t, 5), -1);
  const char *name;
  CU_ASSERT_TRUE(heed_tokenizer_files(t, 0, &name, &whole, &bytes));
  CU_ASSERT_TRUE(strcmp(name, "vocab.txt") == 0 && bytes == strlen(small) && memcmp(whole, small, bytes) == 0);
  CU_ASSERT_FALSE(heed_tokenizer_files(t, 1, &name, &whole, &bytes));
  free(ids);
  heed_tokenizer_free(t);
}

/* Returns, a missing last newline and other orders do not matter; the hash says so. */
static void line_ends(void) {
  heed_tokenizer *plain, *returns;
  const char one[] = "x\n[MASK]\n[SEP]\n[CLS]\n[UNK]\n[PAD]\n", other[] = "x\r\n[MASK]\r\n[SEP]\r\n[CLS]\r\n[UNK]\r\n[PAD]";
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&plain, one, strlen(one), "one", false), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&returns, other, strlen(other), "other", false), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_hash(plain), heed_tokenizer_hash(returns));
  CU_ASSERT_EQUAL(heed_tokenizer_special(returns)->pad, 5);
  size_t bytes;
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_text(returns, &bytes), one);
  heed_tokenizer_free(plain);
  heed_tokenizer_free(returns);
}

static void refused(const char *path, const char *reason) {
  heed_tokenizer *tokenizer;
  CU_ASSERT_EQUAL(heed_tokenizer_open(&tokenizer, path, false), HEED_INVALID);
  CU_ASSERT_PTR_NULL(tokenizer);
  if (!strstr(heed_error_text(), reason))
    fprintf(stderr, "\nexpected '%s', got '%s'\n", reason, heed_error_text());
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), reason));
}

static void bad_vocabularies(void) {
  folder_make();
  refused(folder_path("missing.txt"), "cannot be opened: No such file");
  refused(folder, "vocab.json: cannot be opened: No such file");
  refused(folder_write_text("vocab.json", "{\"a\": 0}"), "name the folder");
  CU_ASSERT_EQUAL(remove(folder_path("vocab.json")), 0);
  refused("/dev/zero", "is no ordinary file, a vocabulary");
  refused(folder_write_text("empty.txt", ""), "empty");
  refused(folder_write_text("newline.txt", "\r\n"), "line 1 is empty");
  refused(folder_write_text("twice.txt", "[PAD]\na\nb\na\n"), "line 4: the token 'a' stands on line 2");
  refused(folder_write_text("gap.txt", "[PAD]\n\nb\n"), "line 2 is empty");
  refused(folder_write_text("no-mask.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[mask]\n"), "no [MASK]");
  refused(folder_write("zero.txt", "[PAD]\0[UNK]\n", 12), "not UTF-8");
  refused(folder_write_text("latin.txt", "[PAD]\ncaf\xE9\n"), "not UTF-8");
  size_t bytes = (8 << 20) + 1;
  char *large = malloc(bytes);
  memset(large, 'a', bytes);
  refused(folder_write("large.txt", large, bytes), "larger than 8 MiB");
  free(large);
  folder_remove();
}

/* Many threads, one tokenizer: the same ids. */
static void threads(void) {
  heed_tokenizer *t = open_cased(HEED_SOURCE "/tests/data/tokenizer_vocab.txt", false);
  const char text[] = "The quick brown fox isn't lazy. \u4E2D\u6587 caf\u00E9 [MASK] \U0001F600 cafe\u0301 quotes";
  int32_t *expected = NULL;
  int64_t capacity = 0, count;
  int different = 0;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_encode(t, text, strlen(text), &expected, &capacity, &count), HEED_OK);
#pragma omp parallel for num_threads(8) reduction(+ : different)
  for (int i = 0; i < 2000; i++) {
    int32_t *ids = NULL;
    int64_t room = 0, found = 0;
    if (heed_tokenizer_encode(t, text, strlen(text), &ids, &room, &found) != HEED_OK || found != count ||
        memcmp(ids, expected, (size_t)count * sizeof *ids) != 0)
      different++;
    free(ids);
  }
  CU_ASSERT_EQUAL(different, 0);
  free(expected);
  heed_tokenizer_free(t);
}

HEED_TESTS({"like the oracle", like_the_oracle}, {"source's example", source_example}, {"line ends", line_ends},
           {"bad vocabularies", bad_vocabularies}, {"threads", threads})
