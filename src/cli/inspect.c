/* heed inspect: where a model looks in a text, as a page and as numbers. */
#include <argp.h>
#include <stdbool.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "data/ill_formed.h"
#include "heed/inspection.h"
#include "heed/log.h"

typedef struct inspect_options {
  const char *checkpoint, *text, *second, *output;
  int64_t top;
  bool json;
} inspect_options;

static const struct argp_option options[] = {{"output", 'o', "PAGE.html", 0, "the page to write: one file that needs nothing else", 0},
                                             {"json", 'j', NULL, 0, "print all numbers as one JSON object; no page is needed then", 0},
                                             {"top", 't', "N", 0, "predictions a place (5)", 0},
                                             {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  inspect_options *o = state->input;
  const char **const arguments[] = {&o->checkpoint, &o->text, &o->second};
  switch (key) {
  case 'o':
    o->output = value;
    return 0;
  case 'j':
    o->json = true;
    return 0;
  case 't':
    return heed_option_count(state, "--top", value, &o->top);
  case ARGP_KEY_ARG:
    if (state->arg_num < 3)
      *arguments[state->arg_num] = value;
    else
      argp_error(state, "'%s' is one argument too many; quotes keep a sentence together", value);
    return 0;
  case ARGP_KEY_END:
    if (state->arg_num < 2)
      argp_error(state, "a checkpoint (or run folder) and a text are needed");
    else if (!o->output && !o->json)
      argp_error(state, "--output is missing: the page to write, for example page.html (or --json, for numbers alone)");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static heed_status put(const heed_inspection *inspection, const inspect_options *o) {
  if (o->output) {
    HEED_TRY(heed_inspection_write(inspection, o->output));
    heed_info("%s: %lld layers of %lld heads, %lld tokens; open it in a browser", o->output, (long long)inspection->layers,
              (long long)inspection->heads, (long long)inspection->tokens);
  }
  return o->json ? heed_inspection_print(inspection, stdout) : HEED_OK;
}

heed_status heed_command_inspect(int argc, char **argv) {
  static const struct argp argp = {options,
                                   parse,
                                   "CHECKPOINT|RUN \"a sentence\" [\"a second sentence\"]",
                                   "Shows where each head of each layer looks in a text, what the layers add up to, and what the model "
                                   "predicts: of [MASK]s, or of each token.  A run folder stands for its newest good checkpoint.",
                                   0,
                                   0,
                                   0};
  inspect_options o = {.top = 5};
  heed_inspection inspection = {0};
  heed_ill_formed ill_formed = {0};
  HEED_TRY(heed_parse_options(&argp, argc, argv, &o));
  if (o.output)
    HEED_TRY(heed_inspection_check_output(o.output));
  heed_ill_formed_look(&ill_formed, &(heed_line){.text = o.text, .bytes = strlen(o.text), .path = "the text", .number = 1});
  if (o.second)
    heed_ill_formed_look(&ill_formed,
                         &(heed_line){.text = o.second, .bytes = strlen(o.second), .path = "the second sentence", .number = 1});
  heed_status status = heed_inspect(&inspection, o.checkpoint, o.text, o.second, o.top);
  if (status == HEED_OK)
    status = put(&inspection, &o);
  if (status == HEED_OK) {
    ill_formed.kept = inspection.model.byte_level;
    heed_ill_formed_warn(&ill_formed);
  }
  heed_inspection_free(&inspection);
  return status;
}
