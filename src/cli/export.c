/* heed export: a checkpoint becomes a folder of transformers'. */
#include <argp.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "heed/convert.h"

typedef struct export_options {
  const char *checkpoint, *output;
} export_options;

static const struct argp_option options[] = {{"output", 'o', "DIR", 0, "the folder to write", 0}, {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  export_options *o = state->input;
  switch (key) {
  case 'o':
    o->output = value;
    return 0;
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->checkpoint);
  case ARGP_KEY_END:
    if (!o->checkpoint)
      argp_error(state, "a checkpoint (or run folder) is needed");
    if (!o->output)
      argp_error(state, "--output is missing: the folder to write");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

heed_status heed_command_export(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "CHECKPOINT|RUN",
      "Writes a checkpoint as a folder that Hugging Face transformers loads: model.safetensors, config.json, "
      "its vocabulary (vocab.txt; or vocab.json and merges.txt), tokenizer_config.json, tokenizer.json.\v"
      "AutoModelForMaskedLM.from_pretrained(DIR) loads a BERT or ModernBERT, AutoModelForPreTraining a BERT trained on next "
      "sentences, AutoModelForCausalLM a GPT-2; AutoTokenizer its vocabulary.  Options that none of these "
      "classes has are refused.",
      0,
      0,
      0};
  export_options o = {0};
  HEED_TRY(heed_parse_options(&argp, argc, argv, &o));
  HEED_TRY(heed_export(o.checkpoint, o.output));
  printf("%s: model.safetensors, config.json, its vocabulary, tokenizer_config.json, tokenizer.json\n", o.output);
  return HEED_OK;
}
