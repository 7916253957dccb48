/* heed generate: text that a causal model continues, printed as it comes. */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "data/ill_formed.h"
#include "heed/generation.h"
#include "heed/log.h"

enum { MOST_PROMPTS = 1024 };

typedef struct generate_options {
  const char *checkpoint;
  const char *prompts[MOST_PROMPTS];
  int64_t count, tokens;
  heed_sampling sampling;
  bool no_cache, json;
} generate_options;

static const struct argp_option options[] = {
    {"tokens", 'n', "N", 0, "tokens to make at most (100)", 0},
    {"temperature", 't', "T", 0, "divides the logits: below 1 safer, above 1 wilder, 0 always the likeliest token (0.8)", 0},
    {"top-k", 'k', "K", 0, "draw from the K likeliest tokens only (0 = all)", 0},
    {"top-p", 'p', "P", 0, "draw from the likeliest tokens that together reach probability P only (0.95; 1 = all)", 0},
    {"seed", 'S', "N", 0, "another seed gives another text (0)", 0},
    {"no-cache", 'c', NULL, 0, "compute all tokens anew for each one: slow, to check the cache", 0},
    {"json", 'j', NULL, 0, "print one JSON object", 0},
    {0}};

static error_t read_number(struct argp_state *state, const char *name, const char *text, double high, double *value) {
  char *end;
  *value = strtod(text, &end);
  if (end == text || *end || !(*value >= 0 && *value <= high))
    argp_error(state, "%s takes a number from 0 to %g, not '%s'", name, high, text);
  return 0;
}

static error_t parse(int key, char *value, struct argp_state *state) {
  generate_options *o = state->input;
  unsigned long long number;
  switch (key) {
  case 'n':
    return heed_option_count(state, "--tokens", value, &o->tokens);
  case 't':
    return read_number(state, "--temperature", value, 100, &o->sampling.temperature);
  case 'k':
    if (*value == '-')
      argp_error(state, "--top-k takes a whole number from 0 on (0 = all), not '%s'", value);
    return strcmp(value, "0") == 0 ? 0 : heed_option_count(state, "--top-k", value, &o->sampling.top_k);
  case 'p':
    return read_number(state, "--top-p", value, 1, &o->sampling.top_p);
  case 'S':
    number = strtoull(value, NULL, 10);
    if (strspn(value, "0123456789") != strlen(value) || strlen(value) > 10 || number > UINT32_MAX)
      argp_error(state, "--seed takes a whole number from 0 to %u, not '%s'", UINT32_MAX, value);
    o->sampling.seed = (uint32_t)number;
    return 0;
  case 'c':
    o->no_cache = true;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num == 0)
      o->checkpoint = value;
    else if (o->count == MOST_PROMPTS)
      argp_error(state, "%d prompts at once are the most", MOST_PROMPTS);
    else
      o->prompts[o->count++] = value;
    return 0;
  case ARGP_KEY_END:
    if (!o->checkpoint)
      argp_error(state, "a checkpoint (or run folder) is needed");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* The text of the tokens from `first` on, as it goes on behind those before.  The separator that a new text begins with is no part of it.
 */
static heed_status text_of(const heed_tokenizer *tokenizer, const char *prompt, const heed_continuation *made, int64_t first, char **text,
                           size_t *bytes) {
  int64_t begins = *prompt ? 0 : 1, from = first > begins ? first - begins : 0;
  return heed_tokenizer_decode_behind(tokenizer, made->ids + begins, from, made->count - begins, text, bytes);
}

/* What has been printed of the one text that streams. */
typedef struct stream {
  const heed_tokenizer *tokenizer;
  const char *prompt;
  int64_t printed; /* tokens */
  bool failed;
} stream;

/* Prints what has come since; of a character whose bytes have not all come, those that have. */
static void print_more(void *self, int64_t prompt, const heed_continuation *so_far) {
  stream *s = self;
  char *text;
  size_t bytes;
  (void)prompt;
  if (s->failed || text_of(s->tokenizer, s->prompt, so_far, s->printed, &text, &bytes) != HEED_OK)
    return;
  fwrite(text, 1, bytes, stdout);
  s->failed = fflush(stdout) != 0;
  s->printed = so_far->count;
  free(text);
}

/* A text as JSON, which is UTF-8: U+FFFD stands where it is not, as where a character was begun and not ended.  NULL when memory is short.
 */
static json_t *json_text(const char *text, size_t bytes) {
  char *clean = heed_utf8_repair(text, &bytes);
  json_t *made = clean ? json_stringn(clean, bytes) : NULL;
  free(clean);
  return made;
}

/* How fast it was: tokens of all prompts, and the time from the first pass to the last. */
typedef struct speed {
  int64_t tokens;
  double seconds;
} speed;

static double tokens_per_second(const speed *s) {
  return s->seconds > 0 ? (double)s->tokens / s->seconds : 0;
}

static heed_status print_json(const generate_options *o, const heed_generation *g, const heed_continuation *made, const speed *took) {
  json_t *list = json_array();
  bool good = true;
  for (int64_t b = 0; b < o->count && good; b++) {
    char *text;
    size_t bytes;
    json_t *ids = json_array();
    heed_status status = text_of(heed_generation_tokenizer(g), o->prompts[b], &made[b], made[b].prompt, &text, &bytes);
    if (status != HEED_OK) {
      json_decref(ids);
      json_decref(list);
      return status;
    }
    for (int64_t i = made[b].prompt; i < made[b].count; i++)
      json_array_append_new(ids, json_integer(made[b].ids[i]));
    good = json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:b}", "prompt", json_text(o->prompts[b], strlen(o->prompts[b])), "text",
                                                 json_text(text, bytes), "ids", ids, "ended", made[b].ended)) == 0;
    free(text);
  }
  json_t *object = json_pack("{s:o, s:I, s:f, s:f}", "continuations", list, "step", (json_int_t)heed_generation_step(g), "seconds",
                             took->seconds, "tokens_per_second", tokens_per_second(took));
  if (!good) {
    json_decref(object);
    object = NULL;
  }
  return heed_print_json(object);
}

/* Of one prompt the text was printed as it came. */
static heed_status print_text(const generate_options *o, const heed_generation *g, const heed_continuation *made) {
  for (int64_t b = 0; b < o->count && o->count > 1; b++) {
    char *text;
    size_t bytes;
    HEED_TRY(text_of(heed_generation_tokenizer(g), o->prompts[b], &made[b], 0, &text, &bytes));
    printf("%s[%lld] ", b ? "\n\n" : "", (long long)b + 1);
    fwrite(text, 1, bytes, stdout);
    free(text);
  }
  putchar('\n');
  return fflush(stdout) == 0 ? HEED_OK : heed_error(HEED_IO, "the text could not be written: %s", strerror(errno));
}

static heed_status run(const generate_options *o, heed_generation *g) {
  heed_continuation *made = calloc((size_t)o->count, sizeof *made);
  stream s = {.tokenizer = heed_generation_tokenizer(g), .prompt = o->prompts[0]};
  bool streams = o->count == 1 && !o->json;
  if (!made)
    return heed_error(HEED_FAILED, "out of memory for %lld prompts", (long long)o->count);
  double begun = heed_seconds();
  heed_status status = heed_generate(g, o->prompts, o->count, o->tokens, &o->sampling, made, streams ? print_more : NULL, &s);
  if (status != HEED_OK) {
    free(made);
    return status;
  }
  speed took = {.seconds = heed_seconds() - begun};
  int64_t ended = 0;
  for (int64_t b = 0; b < o->count; b++) {
    took.tokens += made[b].count - made[b].prompt;
    ended += made[b].ended;
  }
  status = o->json ? print_json(o, g, made, &took) : print_text(o, g, made);
  if (status == HEED_OK && !o->json)
    heed_info("%lld tokens in %.1f s, %.0f tokens/s%s", (long long)took.tokens, took.seconds, tokens_per_second(&took),
              ended == 0         ? ""
              : ended < o->count ? "; some texts came to their end"
                                 : "; the text came to its end");
  for (int64_t b = 0; b < o->count; b++) {
    if (!made[b].ended && made[b].count - made[b].prompt < o->tokens)
      heed_warn("prompt %lld: the model's %lld places are full; it has no room for more tokens", (long long)b + 1,
                (long long)heed_generation_positions(g));
    heed_continuation_free(&made[b]);
  }
  free(made);
  return status;
}

heed_status heed_command_generate(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "CHECKPOINT|RUN [\"A prompt\" …]",
      "Continues texts with a model that predicts next tokens.  A run folder stands for its newest good checkpoint.\v"
      "One text is printed as it comes, the prompt first; several are made together and printed one behind the other.  Without a prompt "
      "a new text begins; standard input is not read.  A text ends where the model draws its end, <|endoftext|> or [SEP].  The same seed "
      "gives the same text.",
      0,
      0,
      0};
  generate_options *o = calloc(1, sizeof *o);
  heed_generation *generation = NULL;
  if (!o)
    return heed_error(HEED_FAILED, "out of memory");
  o->tokens = 100;
  o->sampling = (heed_sampling){.temperature = 0.8, .top_p = 0.95};
  heed_ill_formed ill_formed = {0};
  heed_status status = heed_parse_options(&argp, argc, argv, o);
  if (status == HEED_OK && o->count == 0)
    o->prompts[o->count++] = "";
  for (int64_t b = 0; b < o->count && status == HEED_OK; b++)
    heed_ill_formed_look(&ill_formed,
                         &(heed_line){.text = o->prompts[b], .bytes = strlen(o->prompts[b]), .path = "the prompts", .number = b + 1});
  if (status == HEED_OK)
    status = heed_generation_open(&generation, o->checkpoint, o->count, !o->no_cache);
  if (status == HEED_OK)
    status = run(o, generation);
  if (status == HEED_OK) {
    ill_formed.kept = heed_tokenizer_kind(heed_generation_tokenizer(generation)) == HEED_BPE;
    heed_ill_formed_warn(&ill_formed);
  }
  heed_generation_free(generation);
  free(o);
  return status;
}
