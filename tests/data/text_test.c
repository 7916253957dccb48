/* Lines of files: ends of lines and files, and lines longer than a batch. */
#include "data/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hash.h"
#include "data/folder.h"
#include "data/words.h"
#include "test.h"

/* All lines as one text: each in the form [flags:text], flags b(egins) e(nds) n(ew file). */
static char *read_all(const char *const *paths, int count) {
  static char all[4096];
  heed_text *text;
  const heed_line *lines;
  int64_t line_count;
  size_t at = 0;
  all[0] = 0;
  CU_ASSERT_EQUAL_FATAL(heed_text_open(&text, paths, count, heed_words_cut), HEED_OK);
  while (heed_text_next(text, &lines, &line_count) == HEED_OK && line_count > 0)
    for (int64_t i = 0; i < line_count; i++)
      at += (size_t)snprintf(all + at, sizeof all - at, "[%s%s%s:%.*s]", lines[i].begins ? "b" : "", lines[i].ends ? "e" : "",
                             lines[i].new_file ? "n" : "", (int)lines[i].bytes, lines[i].text);
  int64_t hash_count;
  const uint64_t *hashes = heed_text_hashes(text, &hash_count);
  CU_ASSERT_EQUAL(hash_count, count);
  for (int i = 0; i < count; i++) {
    uint64_t hash;
    CU_ASSERT_EQUAL(heed_hash_file(paths[i], &hash), HEED_OK);
    CU_ASSERT_EQUAL(hashes[i], hash);
  }
  heed_text_close(text);
  return all;
}

static void ends(void) {
  const char *paths[] = {folder_write_text("a.txt", "one\ntwo\n\nthree"), folder_write_text("b.txt", ""),
                         folder_write_text("c.txt", "four\r\n"), folder_write_text("d.txt", "\n")};
  CU_ASSERT_STRING_EQUAL(read_all(paths, 4), "[ben:one][be:two][be:][be:three][ben:four\r][ben:]");
  CU_ASSERT_STRING_EQUAL(read_all(paths + 1, 1), "");
}

/* A line of `bytes` bytes made of `unit`, then a short line.  The parts must be whole units and sum to the line. */
static void long_line(const char *unit, size_t bytes, bool whole_units) {
  size_t length = strlen(unit), at = 0, parts = 0;
  char *content = malloc(bytes + 8);
  for (size_t i = 0; i < bytes; i++)
    content[i] = unit[i % length];
  memcpy(content + bytes, "\nlast\n", 6);
  const char *path = folder_write("long.txt", content, bytes + 6);
  heed_text *text;
  const heed_line *lines;
  int64_t count;
  CU_ASSERT_EQUAL_FATAL(heed_text_open(&text, &path, 1, heed_words_cut), HEED_OK);
  for (bool ended = false; !ended;) {
    CU_ASSERT_EQUAL_FATAL(heed_text_next(text, &lines, &count), HEED_OK);
    CU_ASSERT_TRUE_FATAL(count >= 1);
    CU_ASSERT_EQUAL(lines[0].begins, at == 0);
    CU_ASSERT_EQUAL(memcmp(lines[0].text, content + at, lines[0].bytes), 0);
    at += lines[0].bytes;
    parts++;
    ended = lines[0].ends;
    if (!ended && whole_units)
      CU_ASSERT_EQUAL(at % length, 0);
  }
  CU_ASSERT_EQUAL(at, bytes);
  CU_ASSERT_TRUE(parts > 1);
  if (count == 1)
    CU_ASSERT_EQUAL(heed_text_next(text, &lines, &count), HEED_OK);
  CU_ASSERT_EQUAL(lines[count - 1].bytes, 4);
  CU_ASSERT_TRUE(lines[count - 1].begins && lines[count - 1].ends);
  heed_text_close(text);
  free(content);
}

static void long_lines(void) {
  long_line("abcdef ", 21 << 20, true);
  long_line("\u4E2D", 9 << 20, true);
  long_line("ab[MASK]", 9 << 20, true); /* cut behind ] only */
  long_line("\u00E9", 9 << 20, true);   /* one word without end: between characters */
  long_line("\x80", 9 << 20, false);
}

static void pieces(void) {
  heed_line lines[1000];
  int64_t starts[HEED_TEXT_PIECES + 1];
  for (int i = 0; i < 1000; i++)
    lines[i] = (heed_line){.text = "", .bytes = (size_t)(i % 50)};
  for (int64_t count = 0; count <= 1000; count += 125) {
    heed_text_pieces(lines, count, starts);
    CU_ASSERT_EQUAL(starts[0], 0);
    CU_ASSERT_EQUAL(starts[HEED_TEXT_PIECES], count);
    for (int i = 0; i < HEED_TEXT_PIECES; i++)
      CU_ASSERT_TRUE(starts[i] <= starts[i + 1] && starts[i + 1] - starts[i] <= 1 + count / 8);
  }
}

static void not_text(void) {
  heed_text *text;
  const heed_line *lines;
  int64_t count;
  static const char *const heads[] = {"\x1F\x8B\x08", "BZh9", "\xFF\xFEh", "\xFE\xFF", "\x89HDF\r\n", "PK\3\4"};
  for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
    const char *path = folder_write_text("head.bin", heads[i]);
    CU_ASSERT_EQUAL_FATAL(heed_text_open(&text, &path, 1, heed_words_cut), HEED_OK);
    CU_ASSERT_EQUAL(heed_text_next(text, &lines, &count), HEED_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(heed_error_text(), "not UTF-8 text"));
    heed_text_close(text);
  }
}

/* The writer of a named pipe comes late, and begins later still. */
static void pipes(void) {
  const char *path = folder_path("pipe");
  heed_text *text;
  const heed_line *lines;
  int64_t count;
  CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
  pid_t writer = fork();
  if (writer == 0) {
    usleep(200000);
    int file = open(path, O_WRONLY);
    usleep(200000);
    _exit(write(file, "one\ntwo", 7) != 7);
  }
  CU_ASSERT_EQUAL_FATAL(heed_text_open(&text, &path, 1, heed_words_cut), HEED_OK);
  CU_ASSERT_EQUAL(heed_text_next(text, &lines, &count), HEED_OK);
  CU_ASSERT_EQUAL_FATAL(count, 2);
  CU_ASSERT_EQUAL(strncmp(lines[1].text, "two", lines[1].bytes), 0);
  CU_ASSERT_EQUAL(heed_text_next(text, &lines, &count), HEED_OK);
  CU_ASSERT_EQUAL(count, 0);
  heed_text_close(text);
  CU_ASSERT_EQUAL(waitpid(writer, NULL, 0), writer);
}

/* Each line knows its place, also the parts of a long one. */
static void places(void) {
  char *content = malloc((16 << 20) + 64);
  size_t bytes = (size_t)sprintf(content, "one\n\n");
  memset(content + bytes, 'x', 16 << 20);
  bytes += 16 << 20;
  bytes += (size_t)sprintf(content + bytes, "\nlast");
  const char *paths[] = {folder_write("long.txt", content, bytes), folder_write_text("next.txt", "next\n")};
  static const int64_t numbers[] = {1, 2, 3, 4, 1};
  heed_text *text;
  const heed_line *lines;
  int64_t count;
  int place = 0;
  CU_ASSERT_EQUAL_FATAL(heed_text_open(&text, paths, 2, heed_words_cut), HEED_OK);
  while (heed_text_next(text, &lines, &count) == HEED_OK && count > 0)
    for (int64_t i = 0; i < count; i++) {
      CU_ASSERT_EQUAL(lines[i].number, numbers[place]);
      CU_ASSERT_STRING_EQUAL(lines[i].path, paths[place == 4]);
      place += lines[i].ends;
    }
  CU_ASSERT_EQUAL(place, 5);
  heed_text_close(text);
  free(content);
}

HEED_TESTS({"begin", folder_make}, {"pipes", pipes}, {"places", places}, {"ends", ends}, {"long lines", long_lines}, {"pieces", pieces},
           {"not text", not_text}, {"end", folder_remove})
