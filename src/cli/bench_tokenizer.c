#include "cli/bench_tokenizer.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/options.h"
#include "data/bpe_trainer.h"
#include "data/wordpiece_trainer.h"
#include "measure/synthetic_text.h"
#include "measure/tokenizer.h"

enum { VOCABULARY = 8192, TEXT_BYTES = 8 << 20, PATH_BYTES = 4096 };

/* What a run of it holds. */
typedef struct bench {
  heed_bench_tokenizer_options options;
  char folder[PATH_BYTES], text[PATH_BYTES + 16], shard[PATH_BYTES + 16];
  const char *made_up[1];
  json_t *list;
} bench;

static heed_status make_folder(bench *b) {
  const char *base = getenv("TMPDIR");
  int length = snprintf(b->folder, sizeof b->folder, "%s/heed-bench-XXXXXX", base && *base ? base : "/tmp");
  if (length >= (int)sizeof b->folder || !mkdtemp(b->folder)) {
    heed_status status = heed_error(HEED_IO, "%s: a temporary folder could not be made: %s", b->folder, strerror(errno));
    b->folder[0] = 0;
    return status;
  }
  snprintf(b->text, sizeof b->text, "%s/text.txt", b->folder);
  snprintf(b->shard, sizeof b->shard, "%s/shard.h5", b->folder);
  return HEED_OK;
}

static heed_status make_text(bench *b) {
  if (b->options.text_count > 0)
    return HEED_OK;
  FILE *file = fopen(b->text, "w");
  if (!file)
    return heed_error(HEED_IO, "%s: could not be made: %s", b->text, strerror(errno));
  heed_status status = heed_synthetic_text(file, TEXT_BYTES);
  if (fclose(file) != 0 && status == HEED_OK)
    status = heed_error(HEED_IO, "%s: could not be written: %s", b->text, strerror(errno));
  b->made_up[0] = b->text;
  b->options.texts = b->made_up;
  b->options.text_count = 1;
  return status;
}

static heed_status print(bench *b, const heed_tokenizer *t, const heed_tokenizer_speed *s) {
  const char *kind = heed_tokenizer_kind_name(t);
  double megabytes = (double)s->bytes / 1e6, tokens = (double)s->tokens;
  if (b->options.json) {
    json_t *o =
        json_pack("{s:s, s:I, s:I, s:I, s:i, s:f, s:f, s:f, s:f}", "tokenizer", kind, "vocabulary_size", (json_int_t)heed_tokenizer_size(t),
                  "bytes", (json_int_t)s->bytes, "tokens", (json_int_t)s->tokens, "threads", b->options.threads,
                  "encode_megabytes_per_second", megabytes / s->encode_seconds, "encode_tokens_per_second", tokens / s->encode_seconds,
                  "prepare_megabytes_per_second", megabytes / s->prepare_seconds, "read_megabytes_per_second", megabytes / s->read_seconds);
    return json_array_append_new(b->list, o) == 0 ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the result");
  }
  printf("%-9s  %lld tokens of %lld different ones from %.1f MB of text\n", kind, (long long)s->tokens, (long long)heed_tokenizer_size(t),
         megabytes);
  printf("  encode   %8.1f MB/s, %.2f million tokens/s\n", megabytes / s->encode_seconds, tokens / s->encode_seconds / 1e6);
  printf("  prepare  %8.1f MB/s, from files to a token shard\n", megabytes / s->prepare_seconds);
  printf("  ceiling  %8.1f MB/s: reading, finding lines and hashing, by one thread\n", megabytes / s->read_seconds);
  return HEED_OK;
}

static heed_status measure(bench *b, const heed_tokenizer *tokenizer) {
  heed_tokenizer_speed speed;
  HEED_TRY(heed_tokenizer_measure(&speed, tokenizer, b->options.texts, b->options.text_count, b->shard));
  return print(b, tokenizer, &speed);
}

static heed_status measure_trained(bench *b, heed_vocabulary_kind kind) {
  const heed_bench_tokenizer_options *o = &b->options;
  heed_trained_vocabulary trained;
  heed_tokenizer *tokenizer = NULL;
  HEED_TRY(kind == HEED_BPE ? heed_bpe_train(&trained, o->texts, o->text_count, VOCABULARY)
                            : heed_wordpiece_train(&trained, o->texts, o->text_count, o->cased, VOCABULARY));
  heed_status status = heed_tokenizer_from_text(&tokenizer, trained.text, trained.bytes, "the vocabulary trained", o->cased);
  heed_trained_vocabulary_free(&trained);
  if (status == HEED_OK)
    status = measure(b, tokenizer);
  heed_tokenizer_free(tokenizer);
  return status;
}

static heed_status measure_given(bench *b) {
  heed_tokenizer *tokenizer;
  HEED_TRY(heed_open_vocabulary(&tokenizer, b->options.vocabulary, b->options.cased));
  heed_status status = measure(b, tokenizer);
  heed_tokenizer_free(tokenizer);
  return status;
}

static heed_status run(bench *b) {
  HEED_TRY(heed_tokenizer_check_inputs(b->options.texts, b->options.text_count));
  HEED_TRY(make_folder(b));
  HEED_TRY(make_text(b));
  if (b->options.vocabulary)
    return measure_given(b);
  HEED_TRY(measure_trained(b, HEED_WORDPIECE));
  return measure_trained(b, HEED_BPE);
}

static void clean_up(const bench *b) {
  if (!b->folder[0])
    return;
  unlink(b->text);
  unlink(b->shard);
  rmdir(b->folder);
}

heed_status heed_bench_tokenizer(const heed_bench_tokenizer_options *options) {
  bench b = {.options = *options, .list = options->json ? json_array() : NULL};
  heed_status status = run(&b);
  clean_up(&b);
  if (status == HEED_OK && options->json)
    return heed_print_json(b.list);
  json_decref(b.list);
  if (status == HEED_OK)
    printf("on         %d thread%s\n", options->threads, options->threads > 1 ? "s" : "");
  return status;
}
