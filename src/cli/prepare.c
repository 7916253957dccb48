/* heed prepare: text to a token shard. */
#include <argp.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "data/prepare.h"
#include "heed/log.h"

typedef struct settings {
  const char *vocabulary, *output;
  const char *const *inputs;
  int input_count;
  bool cased;
} settings;

static const struct argp_option options[] = {
    {"vocab", 'v', "VOCAB", 0, "the vocabulary: a vocab.txt, or a folder with vocab.json and merges.txt", 0},
    {"cased", 'c', NULL, 0, "keep upper case and accents (the vocabulary was made so)", 0},
    {"output", 'o', "FILE.h5", 0, "the token shard to write; an earlier one is replaced once the new one is whole", 0},
    {0},
};

static error_t parse(int key, char *value, struct argp_state *state) {
  settings *s = state->input;
  switch (key) {
  case 'v':
    s->vocabulary = value;
    return 0;
  case 'c':
    s->cased = true;
    return 0;
  case 'o':
    s->output = value;
    return 0;
  case ARGP_KEY_ARGS:
    s->inputs = (const char *const *)state->argv + state->next;
    s->input_count = state->argc - state->next;
    return 0;
  case ARGP_KEY_END:
    if (!s->vocabulary)
      argp_error(state, "--vocab is missing");
    if (!s->output)
      argp_error(state, "--output is missing");
    if (s->input_count == 0)
      argp_error(state, "name at least one text file, or - for standard input");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static const struct argp parser = {
    .options = options,
    .parser = parse,
    .args_doc = "TEXT…",
    .doc = "Encodes text into a token shard for training and evaluation.\v"
           "TEXT is UTF-8, a paragraph a line, with a blank line between documents; each file begins a new document; - is standard "
           "input.  For WordPiece, paragraphs are cut into sentences after . ! ? … before an upper-case letter, a digit or an opening "
           "quote, but "
           "not after common abbreviations; for BPE each is kept as it is, with its newline.  No token is dropped.  Memory stays below 1 "
           "GiB whatever the size; OMP_NUM_THREADS sets the threads, "
           "which do not change the result.",
};

static void print_report(const settings *s, const heed_prepare_report *report, bool bpe, double seconds) {
  const heed_shard_counts *counts = &report->counts;
  printf("%s: %lld documents, %lld sentences, %lld tokens from %.1f MiB of text in %.1f s\n", s->output, (long long)counts->documents,
         (long long)counts->sentences, (long long)counts->tokens, (double)report->bytes / 1048576.0, seconds);
  if (bpe)
    printf("invalid UTF-8: %lld sequences, replaced by U+FFFD\n", (long long)report->replaced);
  else
    printf("unknown: %lld tokens (%.3f%%); invalid UTF-8: %lld sequences, dropped\n", (long long)report->unknown,
           100.0 * (double)report->unknown / (double)counts->tokens, (long long)report->replaced);
  if (report->unknown > counts->tokens / 20)
    heed_warn("%s: one token in %lld is [UNK]: is %s the vocabulary of this text, and its casing (%scased) right?", s->output,
              (long long)((counts->tokens + report->unknown / 2) / report->unknown), s->vocabulary, s->cased ? "" : "un");
}

heed_status heed_command_prepare(int argc, char **argv) {
  settings s = {0};
  heed_tokenizer *tokenizer;
  heed_prepare_report report;
  double begin = heed_seconds();
  HEED_TRY(heed_parse_options(&parser, argc, argv, &s));
  mallopt(M_MMAP_THRESHOLD, 1 << 20); /* freed buffers go back to the system at once, whichever of many threads had them */
  HEED_TRY(heed_open_vocabulary(&tokenizer, s.vocabulary, s.cased));
  heed_status status = heed_prepare(tokenizer, s.output, s.inputs, s.input_count, &report);
  bool bpe = heed_tokenizer_kind(tokenizer) == HEED_BPE;
  heed_tokenizer_free(tokenizer);
  if (status == HEED_OK)
    print_report(&s, &report, bpe, heed_seconds() - begin);
  return status;
}
