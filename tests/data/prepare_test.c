/* Preparing text: counts, documents, and no token lost, whatever the lines look like. */
#include "data/prepare.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "data/folder.h"
#include "data/shard.h"
#include "heed/log.h"
#include "test.h"

static heed_tokenizer *tokenizer;

static heed_shard prepare(const char *const *inputs, int count, heed_prepare_report *report) {
  heed_shard shard;
  CU_ASSERT_EQUAL_FATAL(heed_prepare(tokenizer, folder_path("out.h5"), inputs, count, report), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(heed_shard_open(&shard, folder_path("out.h5")), HEED_OK);
  CU_ASSERT_EQUAL(shard.token_count, report->counts.tokens);
  CU_ASSERT_EQUAL(shard.sentence_count, report->counts.sentences);
  CU_ASSERT_EQUAL(shard.document_count, report->counts.documents);
  return shard;
}

/* The shard's tokens are those of the text encoded line by line. */
static void check_tokens(const heed_shard *shard, const char *text, size_t bytes) {
  int32_t *ids = NULL;
  int64_t capacity = 0, count, at = 0;
  bool equal = true;
  for (const char *line = text, *end = text + bytes; line < end && equal;) {
    const char *newline = memchr(line, '\n', (size_t)(end - line)), *stop = newline ? newline : end;
    CU_ASSERT_EQUAL_FATAL(heed_tokenizer_encode(tokenizer, line, (size_t)(stop - line), &ids, &capacity, &count), HEED_OK);
    for (int64_t i = 0; i < count && equal; i++, at++)
      equal = at < shard->token_count && heed_shard_token(shard, at) == ids[i];
    line = stop + 1;
  }
  CU_ASSERT_TRUE(equal && at == shard->token_count);
  free(ids);
}

static void documents(void) {
  heed_prepare_report report;
  const char first[] = "\n\n  \t\r\nThe fox is lazy. The fox isn't.\r\nText.\n\n\n\nThe mark.\n \n\xEF\xBB\xBF\n\n";
  const char second[] = "No newline at the end. It counts";
  const char *paths[] = {folder_write_text("one.txt", first), folder_write_text("two.txt", second)};
  heed_shard shard = prepare(paths, 2, &report);
  CU_ASSERT_EQUAL(report.counts.documents, 3);
  CU_ASSERT_EQUAL(report.counts.sentences, 6);
  const int64_t expected[] = {0, 3, 4, 6};
  CU_ASSERT_EQUAL(memcmp(shard.documents, expected, sizeof expected), 0);
  CU_ASSERT_EQUAL(report.replaced, 0);
  CU_ASSERT_EQUAL(report.bytes, (int64_t)(strlen(first) + strlen(second)));
  CU_ASSERT_EQUAL(shard.vocabulary_hash, heed_tokenizer_hash(tokenizer));
  CU_ASSERT_EQUAL(shard.vocabulary_size, heed_tokenizer_size(tokenizer));
  CU_ASSERT_FALSE(shard.cased);
  heed_shard_close(&shard);
}

/* Text with all that the splitter and the cleaner look at, ill-formed bytes included; several batches of it. */
static char *make_text(size_t bytes) {
  static const char *const units[] = {
      "The ",         "fox. ",    "Is ",     "lazy",        "! ",   "\n",       "\n\n",   "\u4E2D\u6587\u3002",
      "[MASK] ",      "Mr. Fox ", "\xFF",    "caf\u00E9? ", "\r\n", "\u2026 A", "x[SEP]", "\t",
      ".) \"Text\" ", "3.14 ",    "1. The ", "\u0301"};
  char *text = malloc(bytes + 32);
  uint32_t state = 99;
  size_t at = 0;
  while (at < bytes) {
    const char *unit = units[((state = state * 1664525u + 1013904223u) >> 10) % (sizeof units / sizeof *units)];
    memcpy(text + at, unit, strlen(unit));
    at += strlen(unit);
  }
  text[bytes] = 0;
  return text;
}

static void no_token_lost(void) {
  enum { BYTES = 10 << 20 };
  heed_prepare_report one, four;
  char *text = make_text(BYTES);
  const char *path = folder_write("mixed.txt", text, BYTES);
  int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  heed_shard shard = prepare(&path, 1, &one);
  uint64_t ill = (uint64_t)heed_tokenizer_replaced(text, BYTES);
  CU_ASSERT_EQUAL((uint64_t)one.replaced, ill);
  CU_ASSERT_TRUE(ill > 1000 && one.counts.documents > 1000);
  check_tokens(&shard, text, BYTES);
  omp_set_num_threads(4);
  CU_ASSERT_EQUAL(rename(folder_path("out.h5"), folder_path("one.h5")), 0);
  heed_shard again = prepare(&path, 1, &four);
  omp_set_num_threads(threads);
  CU_ASSERT_EQUAL(shard.mapped_bytes, again.mapped_bytes); /* the same file, bit for bit */
  CU_ASSERT_EQUAL(memcmp(shard.mapping, again.mapping, again.mapped_bytes), 0);
  heed_shard_close(&shard);
  heed_shard_close(&again);
  for (size_t i = 0; i < BYTES; i++) /* the same as one line */
    if (text[i] == '\n')
      text[i] = ' ';
  path = folder_write("line.txt", text, BYTES);
  shard = prepare(&path, 1, &one);
  CU_ASSERT_EQUAL(one.counts.documents, 1);
  check_tokens(&shard, text, BYTES);
  heed_shard_close(&shard);
  free(text);
}

#define CONTENT(literal) literal, sizeof literal - 1

/* Files that are not quite text files: byte order marks, NUL bytes, lone returns, ill-formed bytes, no last newline. */
static void odd_files(void) {
  static const struct {
    const char *text;
    size_t bytes;
    int64_t documents, sentences, tokens, replaced;
  } files[] = {
      {CONTENT("\xEF\xBB\xBFThe fox.\r\n\r\nThe fox.\r\n"), 2, 2, 6, 0},
      {CONTENT("The\0 fox\0.\n\0\n\0The"), 1, 2, 4, 0}, /* a line of a NUL is not blank */
      {CONTENT("The\rfox\r\rThe"), 1, 1, 3, 0},
      {CONTENT("The \xFF fox\xE4\xB8\n\xFF\n\xC3(\xF0\x9F\x98"), 1, 2, 3, 5},
      {CONTENT("fox"), 1, 1, 1, 0},
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    heed_prepare_report report;
    const char *path = folder_write("odd.txt", files[i].text, files[i].bytes);
    heed_shard shard = prepare(&path, 1, &report);
    CU_ASSERT_EQUAL(report.counts.documents, files[i].documents);
    CU_ASSERT_EQUAL(report.counts.sentences, files[i].sentences);
    CU_ASSERT_EQUAL(report.counts.tokens, files[i].tokens);
    CU_ASSERT_EQUAL(report.replaced, files[i].replaced);
    check_tokens(&shard, files[i].text, files[i].bytes);
    heed_shard_close(&shard);
  }
}

/* The text of one document of a shard. */
static char *document_text(const heed_tokenizer *bpe, const heed_shard *shard, int64_t document, size_t *bytes) {
  int64_t first = shard->sentences[shard->documents[document]], end = shard->sentences[shard->documents[document + 1]];
  int32_t *ids = malloc((size_t)(end - first + 1) * sizeof *ids);
  char *text = NULL;
  for (int64_t i = first; i < end; i++)
    ids[i - first] = heed_shard_token(shard, i);
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_decode_bytes(bpe, ids, end - first, &text, bytes), HEED_OK);
  free(ids);
  return text;
}

/* All documents, one behind the other, are the text without its blank lines; each ends where a blank line stands, and with a newline. */
static void check_text(const heed_tokenizer *bpe, const heed_shard *shard, const char *text, size_t bytes) {
  int64_t document = 0;
  bool equal = true;
  size_t at = 0, size = 0;
  char *decoded = NULL;
  for (const char *line = text, *end = text + bytes; line < end && equal;) {
    const char *newline = memchr(line, '\n', (size_t)(end - line)), *stop = newline ? newline : end;
    size_t length = (size_t)(stop - line);
    bool blank = strspn(line, " \t\r\v\f") >= length;
    if (!decoded && !blank) {
      CU_ASSERT_TRUE_FATAL(document < shard->document_count);
      decoded = document_text(bpe, shard, document++, &size);
      at = 0;
    }
    if (blank && decoded) {
      equal = at == size;
      free(decoded);
      decoded = NULL;
    } else if (!blank) {
      equal = size - at > length && memcmp(decoded + at, line, length) == 0 && decoded[at + length] == '\n';
      at += length + 1;
    }
    line = stop + 1;
  }
  CU_ASSERT_TRUE(equal && (!decoded || at == size) && document == shard->document_count);
  free(decoded);
}

static heed_tokenizer *open_bpe(void) {
  heed_tokenizer *bpe = NULL;
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&bpe, HEED_SOURCE "/tests/data/bpe", false), HEED_OK);
  return bpe;
}

/* BPE: a paragraph is a sentence with its newline, and every byte comes back, on any number of threads. */
static void bpe_keeps_every_byte(void) {
  enum { BYTES = 10 << 20 };
  heed_tokenizer *wordpiece = tokenizer, *bpe = tokenizer = open_bpe();
  heed_prepare_report one, four;
  char *text = make_text(BYTES);
  for (size_t i = 0; i < BYTES; i++)
    if ((unsigned char)text[i] == 0xFF || (i + 4 > BYTES && (unsigned char)text[i] > 127))
      text[i] = '#'; /* well-formed: what is not comes back as U+FFFD */
  const char *path = folder_write("mixed.txt", text, BYTES);
  int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  heed_shard shard = prepare(&path, 1, &one);
  CU_ASSERT_TRUE(one.replaced == 0 && one.unknown == 0 && one.counts.documents > 1000);
  CU_ASSERT_STRING_EQUAL(shard.tokenizer, "bpe");
  CU_ASSERT_TRUE(shard.cased && shard.vocabulary_size == 600 && shard.vocabulary_hash == heed_tokenizer_hash(bpe));
  check_text(bpe, &shard, text, BYTES);
  omp_set_num_threads(4);
  CU_ASSERT_EQUAL(rename(folder_path("out.h5"), folder_path("one.h5")), 0);
  heed_shard again = prepare(&path, 1, &four);
  omp_set_num_threads(threads);
  CU_ASSERT_EQUAL(shard.mapped_bytes, again.mapped_bytes);
  CU_ASSERT_EQUAL(memcmp(shard.mapping, again.mapping, again.mapped_bytes), 0);
  heed_shard_close(&again);
  heed_shard_close(&shard);
  free(text);
  heed_tokenizer_free(bpe);
  tokenizer = wordpiece;
}

/* A line longer than a batch has the tokens of the whole. */
static void bpe_cuts_between_words(void) {
  enum { BYTES = 20 << 20 };
  heed_tokenizer *wordpiece = tokenizer, *bpe = tokenizer = open_bpe();
  heed_prepare_report report;
  char *text = make_text(BYTES + 32);
  for (size_t i = 0; i < BYTES; i++)
    if (text[i] == '\n' || (i % 1000 > 500 && text[i] == ' '))
      text[i] = i % 3 ? ' ' : '\t';
  size_t bytes = BYTES;
  while (((unsigned char)text[bytes] & 0xC0) == 0x80)
    bytes--;
  const char *path = folder_write("line.txt", text, bytes);
  heed_shard shard = prepare(&path, 1, &report);
  int32_t *ids = NULL;
  int64_t capacity = 0, count;
  text[bytes] = '\n';
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_encode(bpe, text, bytes + 1, &ids, &capacity, &count), HEED_OK);
  CU_ASSERT_TRUE(report.counts.documents == 1 && report.counts.sentences > 1);
  CU_ASSERT_EQUAL_FATAL(count, shard.token_count);
  int64_t different = 0;
  for (int64_t i = 0; i < count; i++)
    different += ids[i] != heed_shard_token(&shard, i);
  CU_ASSERT_EQUAL(different, 0);
  free(ids);
  heed_shard_close(&shard);
  free(text);
  heed_tokenizer_free(bpe);
  tokenizer = wordpiece;
}

static void refused(const char *output, const char *input, const char *reason) {
  heed_prepare_report report;
  CU_ASSERT_EQUAL(heed_prepare(tokenizer, output, &input, 1, &report), HEED_INVALID);
  if (!strstr(heed_error_text(), reason))
    fprintf(stderr, "\nexpected '%s', got '%s'\n", reason, heed_error_text());
  CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), reason));
}

static void refusals(void) {
  const char *text = folder_write_text("text.txt", "The fox.\n"), *output = folder_path("new.h5");
  refused(output, folder_path("missing.txt"), "No such file");
  refused(output, folder, "a folder");
  refused(folder, text, "a folder");
  refused(text, text, "both input and output");
  refused(folder_path("no/new.h5"), text, "no file can be made");
  refused(output, folder_write_text("blank.txt", "\n \n\n"), "no text");
  refused(output, "/dev/null", "no text");
  refused(output, folder_write_text("mark.txt", "\xEF\xBB\xBF"), "no text");
  refused(output, folder_write("zeros.txt", "\0\0\0", 3), "no text");
  refused(folder_write_text("other.txt", "mine"), text, "not replaced");
  CU_ASSERT_NOT_EQUAL(access(output, F_OK), 0);
}

static void begin(void) {
  folder_make();
  heed_log_set_quiet(true);
  CU_ASSERT_EQUAL_FATAL(heed_tokenizer_open(&tokenizer, HEED_SOURCE "/tests/data/tokenizer_vocab.txt", false), HEED_OK);
}

static void end(void) {
  heed_tokenizer_free(tokenizer);
  folder_remove();
}

HEED_TESTS({"begin", begin}, {"documents", documents}, {"odd files", odd_files}, {"no token lost", no_token_lost},
           {"BPE keeps every byte", bpe_keeps_every_byte}, {"BPE cuts between words", bpe_cuts_between_words}, {"refusals", refusals},
           {"end", end})
