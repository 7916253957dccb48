/* heed tokenizer and heed prepare, as a user types them: results, messages, exit codes. */
#include <stdlib.h>
#include <sys/resource.h>

#include "command.h"
#include "data/folder.h"
#include "test.h"

static const char vocabulary[] = HEED_SOURCE "/tests/data/tokenizer_vocab.txt";

/* Runs heed in the folder and checks the exit code and a part of what is printed. */
static void expect(int code, const char *printed, const char *arguments) {
  int got = command_run("cd '%s' && %s %s", folder, HEED_PROGRAM, arguments);
  if (got != code || !strstr(command_output, printed))
    fprintf(stderr, "\nheed %s: exit %d (expected %d), printed: %s", arguments, got, code, command_output);
  CU_ASSERT_EQUAL(got, code);
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, printed));
}

static void encodes(void) {
  char arguments[512];
  folder_write_text("lines.txt", "The fox [MASK].\n\nLAZY\nisn't");
  snprintf(arguments, sizeof arguments, "tokenizer encode --vocab %s <lines.txt", vocabulary);
  expect(0, "the fox [MASK] .\n\nlazy\nisn ' t\n", arguments);
  snprintf(arguments, sizeof arguments, "tokenizer encode --vocab %s --ids <lines.txt", vocabulary);
  expect(0, " 4 ", arguments);
  snprintf(arguments, sizeof arguments, "tokenizer encode --vocab %s --cased <lines.txt", vocabulary);
  expect(0, "The fox [MASK] .\n", arguments);
  folder_write("bad.txt", "a\xFF\n", 3);
  snprintf(arguments, sizeof arguments, "tokenizer encode --vocab %s <bad.txt", vocabulary);
  expect(0, "standard input:1: not UTF-8; such bytes are dropped, 1 sequence in all", arguments);
  snprintf(arguments, sizeof arguments, "tokenizer encode --vocab %s <lines.txt >/dev/full", vocabulary);
  expect(74, "No space left", arguments);
}

static void trains(void) {
  folder_write_text("corpus.txt", "low low low low low lower lower newest newest newest newest newest newest widest widest widest\n");
  expect(0, "v.txt: 30 tokens from 4 different words", "tokenizer train --type wordpiece --vocab-size 30 --output v.txt corpus.txt");
  folder_write_text("words.txt", "lowest\n");
  expect(0, "low ##est\n", "tokenizer encode --vocab v.txt <words.txt");
  expect(0, "set model.vocabulary_size to 35", "tokenizer train --type wordpiece --vocab-size 99 --output v.txt - <corpus.txt");
  expect(65, "too small", "tokenizer train --type wordpiece --vocab-size 6 --output b.txt corpus.txt");
  expect(65, "No such file", "tokenizer train --type wordpiece --vocab-size 30 --output b.txt none.txt");
  expect(65, "not a file", "tokenizer train --type wordpiece --vocab-size 30 --output . corpus.txt");
  CU_ASSERT_NOT_EQUAL(access(folder_path("b.txt"), F_OK), 0);
  expect(65, "both input and output", "tokenizer train --type wordpiece --vocab-size 30 --output corpus.txt corpus.txt");
  expect(65, "not replaced", "tokenizer train --type wordpiece --vocab-size 30 --output words.txt corpus.txt");
  folder_write_text("new.txt", ""); /* as mktemp leaves it */
  expect(0, "new.txt: 30 tokens", "tokenizer train --type wordpiece --vocab-size 30 --output new.txt corpus.txt");
}

/* A BPE vocabulary: a folder, from text to ids and back. */
static void byte_level(void) {
  char arguments[512];
  expect(0, "bpe: 262 tokens from 6 different words",
         "tokenizer train --type bpe --vocab-size 262 --output bpe/ corpus.txt");                 /* as shells complete it */
  expect(0, "only 27", "tokenizer train --type bpe --vocab-size 999 --output bpe - <corpus.txt"); /* replaced */
  folder_write_text("bytes.txt", "lowest\n\n caf\u00E9  <|endoftext|>\t");
  expect(0, "low est\n\n\u0120 c a f \u00C3 \u00A9 \u0120 \u0120 <|endoftext|> \u0109\n", "tokenizer encode --vocab bpe <bytes.txt");
  snprintf(arguments, sizeof arguments, "tokenizer encode --ids --vocab bpe <bytes.txt | %s tokenizer decode --vocab bpe", HEED_PROGRAM);
  expect(0, "lowest\n\n caf\u00E9  <|endoftext|>\t\n", arguments);
  snprintf(arguments, sizeof arguments, "tokenizer encode --ids --vocab %s <lines.txt | %s tokenizer decode --vocab %s", vocabulary,
           HEED_PROGRAM, vocabulary);
  expect(0, "the fox [MASK] .\n\nlazy\n", arguments);
  folder_write("bad.txt", "a\xFF\n", 3);
  expect(0, "standard input:1: not UTF-8; such bytes become U+FFFD, 1 sequence in all", "tokenizer encode --vocab bpe <bad.txt");
  expect(0, "invalid UTF-8: 1 sequences, replaced by U+FFFD", "prepare --vocab bpe --output b.h5 bad.txt");
  expect(65, "--cased goes with a WordPiece vocabulary", "prepare --cased --vocab bpe --output b.h5 bad.txt");
  expect(65, "--cased goes with a WordPiece vocabulary", "tokenizer encode --cased --vocab bpe <bad.txt");
  expect(64, "bpe always keeps upper case", "tokenizer train --type bpe --cased --vocab-size 300 --output bpe corpus.txt");
  expect(65, "is no folder", "tokenizer train --type bpe --vocab-size 300 --output v.txt corpus.txt");
  expect(65, "too small", "tokenizer train --type bpe --vocab-size 256 --output no corpus.txt");
  CU_ASSERT_NOT_EQUAL(access(folder_path("no"), F_OK), 0);
  expect(65, "both input and output", "tokenizer train --type bpe --vocab-size 300 --output bpe bpe/merges.txt");
  CU_ASSERT(command_ended(command_run("cd '%s' && mkdir other && echo mine > other/vocab.json", folder), 0));
  CU_ASSERT(command_ended(command_run("cd '%s' && cp -r bpe model && touch model/config.json bpe/vocab.json.tmp-1", folder), 0));
  expect(0, "bpe: 262 tokens", "tokenizer train --type bpe --vocab-size 262 --output bpe corpus.txt");
  expect(65, "holds a vocabulary and other files", "tokenizer train --type bpe --vocab-size 300 --output model corpus.txt");
  expect(65, "other: exists and is no vocabulary", "tokenizer train --type bpe --vocab-size 300 --output other corpus.txt");
  expect(65, "name the folder", "tokenizer encode --vocab bpe/vocab.json");
  folder_write_text("ids.txt", "1 2\n3 x 4\n");
  expect(65, "standard input:2: 'x' is no token id", "tokenizer decode --vocab bpe <ids.txt");
  folder_write_text("ids.txt", "1 2 99999\n");
  expect(65, "standard input:1: token id 99999 is outside the vocabulary of", "tokenizer decode --vocab bpe <ids.txt");
  folder_write_text("ids.txt", "-1\n");
  expect(65, "'-1' is no token id", "tokenizer decode --vocab bpe <ids.txt");
  folder_write_text("ids.txt", "1 2\n");
  expect(74, "No space left", "tokenizer decode --vocab bpe <ids.txt >/dev/full");
  CU_ASSERT(command_ended(command_run("ls -A '%s'/bpe | tr '\\n' ' '; ls -A '%s' | grep tmp", folder, folder), 1));
  CU_ASSERT_PTR_NOT_NULL(strstr(command_output, "merges.txt vocab.json "));
}

static void prepares(void) {
  char arguments[512];
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output t.h5 lines.txt - <lines.txt", vocabulary);
  expect(0, "t.h5: 4 documents, 6 sentences, 16 tokens", arguments);
  expect(0, "t.h5: 4 documents", arguments); /* again: replaced */
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output lines.txt corpus.txt", vocabulary);
  expect(65, "not replaced", arguments);
  snprintf(arguments, sizeof arguments, "prepare --vocab none.txt --output u.h5 lines.txt");
  expect(65, "none.txt", arguments);
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output u.h5 none.txt", vocabulary);
  expect(65, "none.txt", arguments);
  folder_write_text("snow.txt", "\u2603 \u2603\n");
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output s.h5 snow.txt", vocabulary);
  expect(0, "is [UNK]", arguments);
  folder_write("bad.txt", "fox\xFF\n\xE4\xB8 \xC3(\n", 12);
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output s.h5 bad.txt", vocabulary);
  expect(0, "invalid UTF-8: 3 sequences, dropped", arguments);
  folder_write("bad.txt", "\xFF\xC3\n\xFF", 4);
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output u.h5 bad.txt", vocabulary);
  expect(65, "not UTF-8; such bytes are dropped, 3 sequences", arguments);
}

/* Batches with a long line each, every time at another place of the batch: what was made of one must not stay in memory. */
static void long_lines_in_turn(void) {
  enum { BATCHES = 7, BATCH = 8 << 20, SHORT = BATCH / 64, LINE = 64 };
  char *text = malloc(BATCH), arguments[512];
  FILE *file = fopen(folder_path("long.txt"), "wb");
  CU_ASSERT_FATAL(text && file);
  for (int batch = 0; batch < BATCHES; batch++) {
    memset(text, '.', BATCH);
    for (int line = 1; line * LINE <= batch * SHORT; line++)
      text[line * LINE - 1] = '\n';
    text[BATCH - 1] = '\n';
    CU_ASSERT_EQUAL(fwrite(text, 1, BATCH, file), BATCH);
  }
  CU_ASSERT_EQUAL(fclose(file), 0);
  free(text);
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output l.h5 long.txt", vocabulary);
  expect(0, "l.h5: 1 documents", arguments);
  snprintf(arguments, sizeof arguments, "tokenizer encode --vocab %s --ids <long.txt >/dev/null", vocabulary);
  expect(0, "", arguments);
  struct rusage usage;
  CU_ASSERT_EQUAL(getrusage(RUSAGE_CHILDREN, &usage), 0);
#ifndef __SANITIZE_ADDRESS__                   /* which keeps what is freed */
  CU_ASSERT_TRUE(usage.ru_maxrss < 256 << 10); /* KiB */
#endif
  CU_ASSERT(command_ended(command_run("rm '%s/long.txt' '%s/l.h5'", folder, folder), 0));
}

/* A file that cannot grow: the earlier shard stays, and nothing is left beside it. */
static void full_disk(void) {
  char arguments[512];
  size_t before = 0, after = 0;
  char *earlier = folder_read("t.h5", &before);
  snprintf(arguments, sizeof arguments, "prepare --vocab %s --output t.h5 lines.txt", vocabulary);
  int code = command_run("cd '%s' && ulimit -f 1 && trap '' XFSZ && %s %s", folder, HEED_PROGRAM, arguments);
  CU_ASSERT_EQUAL(code, 74);
  char *now = folder_read("t.h5", &after);
  CU_ASSERT_TRUE(earlier && now && before == after && memcmp(earlier, now, before) == 0);
  free(earlier);
  free(now);
  CU_ASSERT(command_ended(command_run("ls '%s' | grep tmp", folder), 1));
}

static void command_lines(void) {
  expect(64, "say train, encode or decode", "tokenizer");
  expect(64, "say train, encode or decode", "tokenizer paint");
  expect(64, "--vocab is missing", "tokenizer decode");
  expect(64, "standard input", "tokenizer decode --vocab v.txt ids.txt");
  expect(64, "--vocab is missing", "tokenizer encode");
  expect(64, "standard input", "tokenizer encode --vocab v.txt text.txt");
  expect(64, "--type is missing", "tokenizer train --vocab-size 30 --output v.txt x");
  expect(64, "must be wordpiece or bpe", "tokenizer train --type words --vocab-size 30 --output v.txt x");
  expect(64, "not a number", "tokenizer train --type wordpiece --vocab-size 3k --output v.txt x");
  expect(64, "--output is missing", "tokenizer train --type wordpiece --vocab-size 30 x");
  expect(64, "at least one text file", "tokenizer train --type wordpiece --vocab-size 30 --output v.txt");
  expect(64, "--vocab is missing", "prepare --output x.h5 y");
  expect(64, "--output is missing", "prepare --vocab v.txt y");
  expect(64, "at least one text file", "prepare --vocab v.txt --output x.h5");
  expect(0, "Usage: heed prepare", "prepare --help");
  expect(0, "Usage: heed tokenizer train", "tokenizer train --help");
  expect(0, "heed tokenizer encode", "tokenizer --help");
}

HEED_TESTS({"begin", folder_make}, {"encodes", encodes}, {"trains", trains}, {"byte level", byte_level}, {"prepares", prepares},
           {"long lines in turn", long_lines_in_turn}, {"full disk", full_disk}, {"command lines", command_lines}, {"end", folder_remove})
