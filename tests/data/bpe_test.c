/* Byte-level BPE against Hugging Face's `tokenizers` 0.23: bpe_cases.txt holds, a case a line and separated by tabs, a text (\xHH for bytes
 * that do not print), how many U+FFFD stand for its ill-formed bytes, and the ids that the oracle gives with the vocabulary in bpe/
 * (tests/parity/make_bpe_fixture.py writes them).  Then what ids stand for, and vocabularies that must be refused. */
#include "data/bpe.h"

#include <jansson.h>

#include "base/utf8.h"
#include "data/cases.h"
#include "data/folder.h"

static const char vocabulary[] = HEED_SOURCE "/tests/data/bpe";

static heed_tokenizer *open_small(void) {
  heed_tokenizer *tokenizer = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&tokenizer, vocabulary, false), HEED_OK);
  return tokenizer;
}

/* The ids stand for the text's bytes, with U+FFFD for those that are ill-formed. */
static void check_decoded(const heed_tokenizer *t, const char *text, size_t bytes, const int32_t *ids, int64_t count) {
  char *decoded, *whole = heed_utf8_repair(text, &bytes);
  size_t got;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_decode_bytes(t, ids, count, &decoded, &got), HEED_OK);
  CU_ASSERT_TRUE(got == bytes && memcmp(decoded, whole, bytes) == 0 && decoded[got] == 0);
  int64_t sum = 0;
  for (int64_t i = 0; i < count; i++)
    sum += heed_tokenizer_is_special(t, ids[i]) ? (int64_t)strlen("<|endoftext|>") : heed_tokenizer_token_bytes(t, ids[i]);
  CU_ASSERT_EQUAL(sum, (int64_t)bytes);
  free(decoded);
  free(whole);
}

static void like_the_oracle(void) {
  heed_tokenizer *t = open_small();
  FILE *file = fopen(HEED_SOURCE "/tests/data/bpe_cases.txt", "r");
  CU_ASSERT_PTR_NOT_NULL_FATAL(file);
  char *line = NULL;
  size_t room = 0;
  int cases = 0;
  for (; getline(&line, &room, file) >= 0; cases++) {
    char *replaced = strchr(line, '\t'), *expected = replaced ? strchr(replaced + 1, '\t') : NULL;
    CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
    *replaced++ = *expected++ = 0;
    char *name = strdup(line);
    size_t bytes = cases_unescape(line);
    int32_t *ids;
    int64_t count;
    CU_ASSERT_EQUAL(heed_tokenizer_replaced(line, bytes), atoi(replaced));
    cases_check_ids(t, name, line, bytes, expected, &ids, &count);
    check_decoded(t, line, bytes, ids, count);
    free(name);
    free(ids);
  }
  CU_ASSERT_TRUE(cases > 60);
  free(line);
  fclose(file);
  heed_tokenizer_free(t);
}

/* What the calls say about tokens and vocabulary. */
static void calls(void) {
  heed_tokenizer *t = open_small(), *again;
  const heed_special_tokens *special = heed_tokenizer_special(t);
  CU_ASSERT_EQUAL(heed_tokenizer_kind(t), HEED_BPE);
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_kind_name(t), "bpe");
  CU_ASSERT_TRUE(heed_tokenizer_is_cased(t));
  CU_ASSERT_EQUAL(heed_tokenizer_size(t), 600);
  CU_ASSERT_TRUE(special->separate == 0 && special->pad < 0 && special->unknown < 0 && special->classify < 0 && special->mask < 0);
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_token(t, 0), "<|endoftext|>");
  CU_ASSERT_TRUE(heed_tokenizer_is_special(t, 0) && !heed_tokenizer_is_special(t, 1));
  CU_ASSERT_EQUAL(heed_tokenizer_token_bytes(t, 0), 0);
  CU_ASSERT_EQUAL(heed_tokenizer_token_bytes(t, 600), -1);
  int32_t the = heed_tokenizer_find(t, "\u0120the"), letter = heed_tokenizer_find(t, "\u00C3");
  CU_ASSERT_TRUE_FATAL(the > 256 && letter > 0);
  CU_ASSERT_EQUAL(heed_tokenizer_token_bytes(t, the), 4);
  CU_ASSERT_EQUAL(heed_tokenizer_token_bytes(t, letter), 1);
  CU_ASSERT_EQUAL(heed_tokenizer_find(t, " the"), -1);
  CU_ASSERT_FALSE(heed_tokenizer_is_continuation(t, heed_tokenizer_find(t, "#")));
  char *text;
  CU_ASSERT_EQUAL(heed_tokenizer_decode(t, (const int32_t[]){the, 0, letter}, 3, &text), HEED_OK);
  CU_ASSERT_STRING_EQUAL(text, " the<|endoftext|>\xC3");
  free(text);
  CU_ASSERT_EQUAL(heed_tokenizer_decode(t, (const int32_t[]){600}, 1, &text), HEED_INVALID);
  size_t bytes, file_bytes;
  const char *whole = heed_tokenizer_text(t, &bytes), *name, *file;
  CU_ASSERT_EQUAL(bytes, strlen(whole));
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_from_text(&again, whole, bytes, "again", false), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_hash(again), heed_tokenizer_hash(t));
  CU_ASSERT_STRING_EQUAL(heed_tokenizer_text(again, &bytes), whole);
  CU_ASSERT_TRUE(heed_tokenizer_files(t, 0, &name, &file, &file_bytes) && strcmp(name, "vocab.json") == 0 && file == whole);
  CU_ASSERT_TRUE(heed_tokenizer_files(t, 1, &name, &file, &file_bytes) && strcmp(name, "merges.txt") == 0);
  CU_ASSERT_TRUE(strncmp(file, "#version: 0.2\n", 14) == 0 && file_bytes == strlen(file));
  CU_ASSERT_FALSE(heed_tokenizer_files(t, 2, &name, &file, &file_bytes));
  heed_tokenizer_free(again);
  heed_tokenizer_free(t);
}

/* Zeros and all other bytes come back. */
static void every_byte(void) {
  heed_tokenizer *t = open_small();
  for (int byte = 0; byte < 256; byte++)
    CU_ASSERT_EQUAL(heed_tokenizer_token_bytes(t, heed_bpe_of(t)->byte_ids[byte]), 1);
  char text[256], *decoded;
  int32_t ids[256];
  size_t bytes;
  for (int byte = 0; byte < 256; byte++) {
    text[byte] = (char)byte;
    ids[byte] = heed_bpe_of(t)->byte_ids[byte];
  }
  CU_ASSERT_EQUAL(heed_tokenizer_decode_bytes(t, ids, 256, &decoded, &bytes), HEED_OK);
  CU_ASSERT_TRUE(bytes == 256 && memcmp(decoded, text, 256) == 0);
  free(decoded);
  heed_tokenizer_free(t);
}

/* A slow twin: the pair of lowest rank, of equals the first, until there is none. */
static int64_t merge_slowly(const heed_bpe_merges *merges, int32_t *ids, int64_t count) {
  for (;;) {
    const heed_bpe_merge *best = NULL;
    int64_t place = 0;
    for (int64_t i = 0; i + 1 < count; i++) {
      const heed_bpe_merge *merge = heed_bpe_merges_find(merges, ids[i], ids[i + 1]);
      if (merge && (!best || merge->rank < best->rank)) {
        best = merge;
        place = i;
      }
    }
    if (!best)
      return count;
    ids[place] = best->joined;
    memmove(ids + place + 1, ids + place + 2, (size_t)(--count - place - 1) * sizeof *ids);
  }
}

static void merges_of_all_lengths(void) {
  heed_tokenizer *t = open_small();
  const heed_bpe *bpe = heed_bpe_of(t);
  uint32_t state = 7;
  for (int64_t length = 1; length < 400; length++) {
    int32_t ids[400], twin[400];
    int64_t count = length;
    for (int64_t i = 0; i < length; i++)
      ids[i] = twin[i] = bpe->byte_ids[(unsigned char)" etaoinshr"[(state = state * 1664525u + 1013904223u) >> 8 & 7]];
    CU_ASSERT_EQUAL_FATAL(heed_bpe_merge_all(&bpe->merges, ids, &count), HEED_OK);
    int64_t expected = merge_slowly(&bpe->merges, twin, length);
    CU_ASSERT_TRUE(count == expected && memcmp(ids, twin, (size_t)count * sizeof *ids) == 0);
    CU_ASSERT_TRUE(length < 20 || count < length);
  }
  heed_tokenizer_free(t);
}

/* Files laid out as others do: escapes, white space, another order, returns, no version. */
static void other_layouts(void) {
  heed_tokenizer *t = open_small(), *other;
  char *merges = NULL;
  size_t room = 0;
  json_t *json = json_load_file(HEED_SOURCE "/tests/data/bpe/vocab.json", 0, NULL);
  FILE *from = fopen(HEED_SOURCE "/tests/data/bpe/merges.txt", "r"), *to = fopen(folder_path("merges.txt"), "w");
  CU_ASSERT_FATAL(json && from && to);
  CU_ASSERT_EQUAL(json_dump_file(json, folder_path("vocab.json"), JSON_INDENT(3) | JSON_ENSURE_ASCII | JSON_SORT_KEYS), 0);
  for (int line = 0; getline(&merges, &room, from) >= 0; line++)
    if (line > 0)
      fprintf(to, "%.*s\r\n", (int)strcspn(merges, "\n"), merges);
  CU_ASSERT_EQUAL(fclose(to), 0);
  fclose(from);
  free(merges);
  json_decref(json);
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&other, folder, true), HEED_OK);
  CU_ASSERT_EQUAL(heed_tokenizer_hash(other), heed_tokenizer_hash(t));
  heed_tokenizer_free(other);
  heed_tokenizer_free(t);
}

static void refused(const char *reason) {
  heed_tokenizer *tokenizer;
  CU_ASSERT_EQUAL(heed_tokenizer_open(&tokenizer, folder, false), HEED_INVALID);
  CU_ASSERT_PTR_NULL(tokenizer);
  if (!strstr(heed_error_text(), reason))
    fprintf(stderr, "\nexpected '%s', got '%s'\n", reason, heed_error_text());
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), reason));
}

/* The vocabulary with one change, and merges: NULL for the good ones. */
static void write_changed(const char *remove, const char *add, json_int_t id, const char *merges) {
  json_t *json = json_load_file(HEED_SOURCE "/tests/data/bpe/vocab.json", 0, NULL);
  if (remove)
    json_object_del(json, remove);
  if (add)
    json_object_set_new(json, add, id < 0 ? json_string("1") : json_integer(id));
  CU_ASSERT_EQUAL(json_dump_file(json, folder_path("vocab.json"), 0), 0);
  json_decref(json);
  folder_write_text("merges.txt", merges ? merges : "#version: 0.2\n");
}

static void bad_vocabularies(void) {
  CU_ASSERT_TRUE(remove(folder_path("vocab.json")) == 0 && remove(folder_path("merges.txt")) == 0);
  refused("vocab.json: cannot be opened: No such file");
  folder_write_text("vocab.json", "{\"a\": 0");
  refused("merges.txt: cannot be opened: No such file");
  folder_write_text("merges.txt", "");
  refused("vocab.json:1: not JSON");
  folder_write_text("vocab.json", "[1, 2]");
  refused("vocab.json: no JSON object");
  folder_write_text("vocab.json", "{}");
  refused("no token '\u0100' for the byte 0");
  folder_write_text("vocab.json", "{\"a\": 0, \"a\": 1}");
  refused("not JSON: duplicate object key");
  write_changed(NULL, "new", 700, NULL);
  refused("the id of 'new' is none of 0 … 600, as those of 601 tokens must be");
  write_changed(NULL, "new", -1, NULL);
  refused("the id of 'new' is none of");
  write_changed(NULL, "new", 5, NULL);
  refused("have the same id, 5");
  write_changed("\u0120", "new", 221, NULL);
  refused("no token '\u0120' for the byte 32: not a byte-level BPE vocabulary");
  write_changed("<|endoftext|>", "new", 0, NULL);
  refused("has no <|endoftext|>");
  write_changed(NULL, NULL, 0, "#version: 0.2\nq q\n");
  refused("merges.txt: line 2: what it gives of 'q q' is no token of vocab.json");
  write_changed(NULL, NULL, 0, "zzz q\n");
  refused("line 1: what it gives of");
  write_changed(NULL, "qzzz", 600, "q zzz\n");
  refused("line 1: a part of 'q zzz' is no token");
  static const char *const lines[] = {"q\n", "\n", " q\n", "q \n", "t h e\n"};
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    write_changed(NULL, NULL, 0, lines[i]);
    refused("line 1: two tokens with a space between");
  }
  write_changed(NULL, NULL, 0, "h e\nh e\n");
  refused("line 2: 'h e': it stands on an earlier line already");
  size_t bytes = (8 << 20) + 1;
  char *large = malloc(bytes);
  memset(large, ' ', bytes);
  folder_write("vocab.json", large, bytes);
  refused("larger than 8 MiB");
  free(large);
}

/* Many threads, one tokenizer: the same ids. */
static void threads(void) {
  heed_tokenizer *t = open_small();
  const char text[] =
      "The quick brown fox isn't lazy.\n \u4E2D\u6587 caf\u00E9 <|endoftext|> \U0001F600 and a_very_long_word_that_takes_a_queue_to_join";
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

HEED_TESTS({"begin", folder_make}, {"like the oracle", like_the_oracle}, {"calls", calls}, {"every byte", every_byte},
           {"merges of all lengths", merges_of_all_lengths}, {"other layouts", other_layouts}, {"bad vocabularies", bad_vocabularies},
           {"threads", threads}, {"end", folder_remove})
