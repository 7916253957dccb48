/* heed tokenizer train | encode. */
#include <argp.h>
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "data/encode.h"
#include "data/output.h"
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
  if (s->size == 0)
    argp_error(state, "--vocab-size is missing");
  if (!s->output)
    argp_error(state, "--output is missing");
  if (s->input_count == 0)
    argp_error(state, "name at least one text file, or - for standard input");
  return 0;
}

static error_t parse_encode(int key, char *value, struct argp_state *state) {
  settings *s = state->input;
  if (key == ARGP_KEY_ARG)
    return ARGP_ERR_UNKNOWN; /* takes none */
  if (key == ARGP_KEY_ARGS)
    argp_error(state, "'%s': the text comes from standard input: heed tokenizer encode … < FILE", state->argv[state->next]);
  if (key != ARGP_KEY_END)
    return parse(key, value, state);
  if (!s->vocabulary)
    argp_error(state, "--vocab is missing");
  return 0;
}

static const struct argp_option train_options[] = {
    {"type", 't', "wordpiece|bpe", 0, "kind of vocabulary", 0},
    {"vocab-size", 'n', "N", 0, "tokens, the five special ones included", 0},
    {"cased", 'c', NULL, 0, "keep upper case and accents", 0},
    {"output", 'o', "vocab.txt", 0, "the vocabulary to write; an earlier one is replaced once the new one is whole", 0},
    {0},
};
static const struct argp train_parser = {
    .options = train_options,
    .parser = parse_train,
    .args_doc = "FILE…",
    .doc = "Trains a vocabulary on text.\v"
           "FILE is UTF-8 text; - is standard input.  The result holds [PAD] [UNK] [CLS] [SEP] [MASK], the up to 1,000 most frequent "
           "characters, and the most frequent joined pieces; it depends on the text alone, not on the number of threads.",
};

static const struct argp_option encode_options[] = {
    {"vocab", 'v', "vocab.txt", 0, "the vocabulary", 0},
    {"cased", 'c', NULL, 0, "keep upper case and accents (the vocabulary was made so)", 0},
    {"ids", 'i', NULL, 0, "print numbers instead of tokens", 0},
    {0},
};
static const struct argp encode_parser = {
    .options = encode_options,
    .parser = parse_encode,
    .doc = "Encodes text: a line of standard input gives a line of tokens, separated by spaces, on standard output.",
};

/* Before the work, and lest a slip of the command line costs someone's text: what is replaced must be an earlier vocabulary. */
static heed_status check_output(const settings *s) {
  struct stat output, input;
  heed_tokenizer *earlier;
  HEED_TRY(heed_output_check(s->output));
  if (stat(s->output, &output) != 0 || output.st_size == 0)
    return HEED_OK;
  for (int i = 0; i < s->input_count; i++)
    if (stat(s->inputs[i], &input) == 0 && input.st_dev == output.st_dev && input.st_ino == output.st_ino)
      return heed_error(HEED_INVALID, "%s: both input and output; choose another output", s->output);
  if (heed_tokenizer_open(&earlier, s->output, false) != HEED_OK)
    return heed_error(HEED_INVALID, "%s: exists and is no vocabulary; it is not replaced: remove it or choose another output", s->output);
  heed_tokenizer_free(earlier);
  return HEED_OK;
}

static heed_status train(int argc, char **argv) {
  settings s = {0};
  heed_trained_vocabulary vocabulary;
  double begin = heed_seconds();
  HEED_TRY(heed_parse_options(&train_parser, argc, argv, &s));
  if (strcmp(s.type, "bpe") == 0)
    return heed_error(HEED_INVALID, "--type bpe is not built yet; --type wordpiece is");
  HEED_TRY(check_output(&s));
  HEED_TRY(heed_wordpiece_train(&vocabulary, s.inputs, s.input_count, s.cased, s.size));
  heed_status status = heed_output_write(s.output, vocabulary.text, vocabulary.bytes);
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
  HEED_TRY(heed_tokenizer_open(&tokenizer, s.vocabulary, s.cased));
  heed_status status = heed_encode_lines(tokenizer, "-", stdout, s.ids);
  heed_tokenizer_free(tokenizer);
  return status;
}

static void print_help(void) {
  fputs("Usage: heed tokenizer train --type wordpiece --vocab-size N [--cased] --output vocab.txt FILE…\n"
        "       heed tokenizer encode --vocab vocab.txt [--cased] [--ids]    (text from standard input)\n\n"
        "`heed tokenizer train --help` and `heed tokenizer encode --help` tell more.\n",
        stdout);
}

heed_status heed_command_tokenizer(int argc, char **argv) {
  static const struct {
    const char *name;
    char *full_name;
    heed_status (*run)(int argc, char **argv);
  } commands[] = {{"train", "heed tokenizer train", train}, {"encode", "heed tokenizer encode", encode}};
  if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
    print_help();
    return HEED_OK;
  }
  for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
    if (strcmp(argv[1], commands[i].name) == 0) {
      argv[1] = commands[i].full_name;
      return commands[i].run(argc - 1, argv + 1);
    }
  return heed_error(HEED_USAGE, "heed tokenizer: say train or encode%s%s%s; `heed tokenizer --help` tells more", argc > 1 ? ", not '" : "",
                    argc > 1 ? argv[1] : "", argc > 1 ? "'" : "");
}
