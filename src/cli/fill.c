/* heed fill: the likeliest tokens for each [MASK] of a text, from a checkpoint alone. */
#include <argp.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "data/ill_formed.h"
#include "heed/inference.h"

typedef struct fill_options {
  const char *checkpoint, *text;
  int64_t top;
  bool json;
} fill_options;

static const struct argp_option options[] = {
    {"top", 't', "N", 0, "predictions a mask (5)", 0}, {"json", 'j', NULL, 0, "print one JSON object", 0}, {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  fill_options *o = state->input;
  switch (key) {
  case 't':
    return heed_option_count(state, "--top", value, &o->top);
  case 'j':
    o->json = true;
    return 0;
  case ARGP_KEY_ARG:
    if (state->arg_num == 0)
      o->checkpoint = value;
    else if (state->arg_num == 1)
      o->text = value;
    else
      argp_error(state, "'%s' is one argument too many; quotes keep a text together", value);
    return 0;
  case ARGP_KEY_END:
    if (state->arg_num < 2)
      argp_error(state, "a checkpoint (or run folder) and a text are needed");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static heed_status print_json(const heed_inference *inference, const heed_prediction *predictions, int64_t masks, int64_t top) {
  json_t *all = json_array();
  for (int64_t m = 0; m < masks; m++) {
    json_t *list = json_array();
    for (int64_t i = 0; i < top; i++) {
      const heed_prediction *p = &predictions[m * top + i];
      json_array_append_new(list, json_pack("{s:s, s:i, s:f}", "token", heed_tokenizer_token(heed_inference_tokenizer(inference), p->id),
                                            "id", (int)p->id, "probability", p->probability));
    }
    json_array_append_new(all, list);
  }
  return heed_print_json(json_pack("{s:o, s:I}", "predictions", all, "step", (json_int_t)heed_inference_step(inference)));
}

static void print_text(const heed_inference *inference, const heed_prediction *predictions, int64_t masks, int64_t top) {
  for (int64_t m = 0; m < masks; m++) {
    if (masks > 1)
      printf("%smask %lld\n", m ? "\n" : "", (long long)m + 1);
    for (int64_t i = 0; i < top; i++)
      printf("%6.2f%%  %s\n", 100.0 * predictions[m * top + i].probability,
             heed_tokenizer_token(heed_inference_tokenizer(inference), predictions[m * top + i].id));
  }
}

heed_status heed_command_fill(int argc, char **argv) {
  static const struct argp argp = {options,
                                   parse,
                                   "CHECKPOINT|RUN \"The capital of France is [MASK].\"",
                                   "Predicts each [MASK] of a text.  A run folder stands for its newest good checkpoint.",
                                   0,
                                   0,
                                   0};
  fill_options o = {.top = 5};
  heed_inference *inference = NULL;
  heed_prediction *predictions = NULL;
  int64_t masks = 0;
  HEED_TRY(heed_parse_options(&argp, argc, argv, &o));
  heed_ill_formed ill_formed = {0};
  heed_ill_formed_look(&ill_formed, &(heed_line){.text = o.text, .bytes = strlen(o.text), .path = "the text", .number = 1});
  heed_status status = heed_inference_open(&inference, o.checkpoint);
  if (status == HEED_OK)
    status = heed_inference_fill(inference, o.text, o.top, &predictions, &masks);
  if (status == HEED_OK && o.json)
    status = print_json(inference, predictions, masks, o.top);
  else if (status == HEED_OK)
    print_text(inference, predictions, masks, o.top);
  if (status == HEED_OK)
    heed_ill_formed_warn(&ill_formed);
  free(predictions);
  heed_inference_free(inference);
  return status;
}
