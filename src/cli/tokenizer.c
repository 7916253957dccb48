/* heed tokenizer train | encode | decode. */
#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "data/bpe_trainer.h"
#include "data/decode.h"
#include "data/encode.h"
#include "data/vocabulary_output.h"
#include "data/wordpiece_trainer.h"
#include "heed/log.h"
#include "heed/tokenizer.h"

typedef struct settings {
  const char *type, *vocabulary, *output;
  const char *const *inputs;
  int input_count;
  int64_t size;
  bool cased, ids;
} settings;

enum { MOST_TOKENS = 1 << 20 };

static int64_t read_size(const char *text, struct argp_state *state) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (errno || end == text || *end || value < 6 || value > MOST_TOKENS)
    argp_error(state, "--vocab-size '%s' is not a number from 6 to %d", text, MOST_TOKENS);
  return value;
}

static error_t parse(int key, char *value, struct argp_state *state) {
  settings *s = state->input;
  switch (key) {
  case 't':
    s->type = value;
    return 0;
  case 'n':
    s->size = read_size(value, state);
    return 0;
  case 'c':
    s->cased = true;
    return 0;
  case 'i':
    s->ids = true;
    return 0;
  case 'v':
    s->vocabulary = value;
    return 0;
  case 'o':
    for (size_t end = strlen(value); end > 1 && value[end - 1] == '/';) /* a folder's name, as people complete it */
      value[--end] = 0;
    s->output = value;
    return 0;
  case ARGP_KEY_ARGS:
    s->inputs = (const char *const *)state->argv + state->next;
    s->input_count = state->argc - state->next;
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* Lets `parse` read the common settings, then checks what training needs. */
static error_t parse_train(int key, char *value, struct argp_state *state) {
  settings *s = state->input;
  if (key != ARGP_KEY_END)
    return parse(key, value, state);
  if (!s->type || (strcmp(s->type, "wordpiece") != 0 && strcmp(s->type, "bpe") != 0))
    argp_error(state, "--type is %s; it must be wordpiece or bpe", s->type ? s->type : "missing");
  if (s->type && s->cased && strcmp(s->type, "bpe") == 0)
    argp_error(state, "--cased goes with --type wordpiece; bpe always keeps upper case and accents");
  if (s->size == 0)
    argp_error(state, "--vocab-size is missing");
  if (!s->output)
    argp_error(state, "--output is missing");
  if (s->input_count == 0)
    argp_error(state, "name at least one text file, or - for standard input");
  return 0;
}

/* For encode and decode, which take no arguments. */
static error_t parse_lines(int key, char *value, struct argp_state *state) {
  settings *s = state->input;
  if (key == ARGP_KEY_ARG)
    return ARGP_ERR_UNKNOWN;
  if (key == ARGP_KEY_ARGS)
    argp_error(state, "'%s': what is read comes from standard input: %s … < FILE", state->argv[state->next], state->name);
  if (key != ARGP_KEY_END)
    return parse(key, value, state);
  if (!s->vocabulary)
    argp_error(state, "--vocab is missing");
  return 0;
}

static const struct argp_option train_options[] = {
    {"type", 't', "wordpiece|bpe", 0, "kind of vocabulary", 0},
    {"vocab-size", 'n', "N", 0, "tokens, the special ones included", 0},
    {"cased", 'c', NULL, 0, "keep upper case and accents; bpe always does", 0},
    {"output", 'o', "VOCAB", 0,
     "the vocabulary to write: a file (wordpiece), or a folder for vocab.json and merges.txt (bpe); an earlier one is replaced once the "
     "new "
     "one is whole",
     0},
    {0},
};
static const struct argp train_parser = {
    .options = train_options,
    .parser = parse_train,
    .args_doc = "FILE…",
    .doc = "Trains a vocabulary on text.\v"
           "FILE is UTF-8 text; - is standard input.  A wordpiece vocabulary holds [PAD] [UNK] [CLS] [SEP] [MASK], the up to 1,000 most "
           "frequent characters, and the most frequent joined pieces; a bpe one <|endoftext|> (id 0), the 256 bytes, and joined tokens.  "
           "The result depends on the text alone, not on the number of threads.",
};

static const struct argp_option encode_options[] = {
    {"vocab", 'v', "VOCAB", 0, "the vocabulary: a vocab.txt, or a folder with vocab.json and merges.txt", 0},
    {"cased", 'c', NULL, 0, "keep upper case and accents (the vocabulary was made so)", 0},
    {"ids", 'i', NULL, 0, "print numbers instead of tokens", 0},
    {0},
};
static const struct argp encode_parser = {
    .options = encode_options,
    .parser = parse_lines,
    .doc = "Encodes text: a line of standard input gives a line of tokens, separated by spaces, on standard output.",
};

static const struct argp_option decode_options[] = {
    {"vocab", 'v', "VOCAB", 0, "the vocabulary: a vocab.txt, or a folder with vocab.json and merges.txt", 0},
    {0},
};
static const struct argp decode_parser = {
    .options = decode_options,
    .parser = parse_lines,
    .doc = "Decodes token ids: a line of ids on standard input, separated by spaces, gives a line of text on standard output.\v"
           "A BPE vocabulary gives back the bytes that were encoded; WordPiece puts a space between any two words.",
};

/* Opens what was trained as anybody will, and writes its files. */
static heed_status write_vocabulary(const settings *s, const heed_trained_vocabulary *vocabulary) {
  heed_tokenizer *tokenizer;
  HEED_TRY(heed_tokenizer_from_text(&tokenizer, vocabulary->text, vocabulary->bytes, s->output, s->cased));
  heed_status status = heed_vocabulary_write(s->output, tokenizer);
  heed_tokenizer_free(tokenizer);
  return status;
}

static heed_status train(int argc, char **argv) {
  settings s = {0};
  heed_trained_vocabulary vocabulary;
  double begin = heed_seconds();
  HEED_TRY(heed_parse_options(&train_parser, argc, argv, &s));
  heed_vocabulary_kind kind = strcmp(s.type, "bpe") == 0 ? HEED_BPE : HEED_WORDPIECE;
  HEED_TRY(heed_vocabulary_check_output(s.output, kind, s.inputs, s.input_count));
  HEED_TRY(kind == HEED_BPE ? heed_bpe_train(&vocabulary, s.inputs, s.input_count, s.size)
                            : heed_wordpiece_train(&vocabulary, s.inputs, s.input_count, s.cased, s.size));
  heed_status status = write_vocabulary(&s, &vocabulary);
  if (status == HEED_OK) {
    printf("%s: %lld tokens from %lld different words in %.1f MiB of text in %.1f s\n", s.output, (long long)vocabulary.size,
           (long long)vocabulary.words, (double)vocabulary.text_bytes / 1048576.0, heed_seconds() - begin);
    if (vocabulary.size < s.size)
      heed_warn("%s: the text gives only %lld tokens, not %lld: set model.vocabulary_size to %lld, or train on more text", s.output,
                (long long)vocabulary.size, (long long)s.size, (long long)vocabulary.size);
  }
  heed_trained_vocabulary_free(&vocabulary);
  return status;
}

static heed_status encode(int argc, char **argv) {
  settings s = {0};
  heed_tokenizer *tokenizer;
  HEED_TRY(heed_parse_options(&encode_parser, argc, argv, &s));
  mallopt(M_MMAP_THRESHOLD, 1 << 20); /* freed buffers go back to the system at once, whichever of many threads had them */
  HEED_TRY(heed_open_vocabulary(&tokenizer, s.vocabulary, s.cased));
  heed_status status = heed_encode_lines(tokenizer, "-", stdout, s.ids);
  heed_tokenizer_free(tokenizer);
  return status;
}

static heed_status decode(int argc, char **argv) {
  settings s = {0};
  heed_tokenizer *tokenizer;
  HEED_TRY(heed_parse_options(&decode_parser, argc, argv, &s));
  HEED_TRY(heed_tokenizer_open(&tokenizer, s.vocabulary, false));
  heed_status status = heed_decode_lines(tokenizer, "-", stdout);
  heed_tokenizer_free(tokenizer);
  return status;
}

static void print_help(void) {
  fputs("Usage: heed tokenizer train --type wordpiece|bpe --vocab-size N [--cased] --output VOCAB FILE…\n"
        "       heed tokenizer encode --vocab VOCAB [--cased] [--ids]    (text from standard input)\n"
        "       heed tokenizer decode --vocab VOCAB                      (ids from standard input)\n\n"
        "VOCAB is a vocab.txt, or a folder with vocab.json and merges.txt.  `heed tokenizer train --help` and so on tell more.\n",
        stdout);
}

heed_status heed_command_tokenizer(int argc, char **argv) {
  static const struct {
    const char *name;
    char *full_name;
    heed_status (*run)(int argc, char **argv);
  } commands[] = {
      {"train", "heed tokenizer train", train}, {"encode", "heed tokenizer encode", encode}, {"decode", "heed tokenizer decode", decode}};
  if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
    print_help();
    return HEED_OK;
  }
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
    if (strcmp(argv[1], commands[i].name) == 0) {
      argv[1] = commands[i].full_name;
      return commands[i].run(argc - 1, argv + 1);
    }
  return heed_error(HEED_USAGE, "heed tokenizer: say train, encode or decode%s%s%s; `heed tokenizer --help` tells more",
                    argc > 1 ? ", not '" : "", argc > 1 ? argv[1] : "", argc > 1 ? "'" : "");
}
