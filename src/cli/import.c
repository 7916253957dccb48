/* heed import: a model of transformers' becomes a checkpoint. */
#include <argp.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "heed/convert.h"
#include "heed/log.h"

typedef struct import_options {
  heed_import_spec spec;
  heed_settings settings;
} import_options;

enum { OPTION_UNCASED = 256 };

static const struct argp_option options[] = {
    {"model-config", 'm', "config.json", 0, "the model's configuration (default: beside the weights)", 0},
    {"vocab", 'v', "VOCAB", 0, "its vocabulary, a vocab.txt or a folder with vocab.json and merges.txt (default: beside the weights)", 0},
    {"cased", 'c', NULL, 0, "the model was trained on cased text", 0},
    {"uncased", OPTION_UNCASED, NULL, 0, "or on uncased (default: as tokenizer_config.json beside the vocabulary says, else uncased)", 0},
    {"output", 'o', "CHECKPOINT", 0, "the checkpoint folder to write", 0},
    {"set", 's', "KEY=VALUE", 0, "a value of the configuration that the checkpoint will hold, for example train.sequence_length=256", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  import_options *o = state->input;
  switch (key) {
  case 'm':
    o->spec.model_config = value;
    return 0;
  case 'v':
    o->spec.vocabulary = value;
    return 0;
  case 'c':
  case OPTION_UNCASED:
    if (o->spec.casing != HEED_CASING_UNSAID)
      argp_error(state, "say --cased or --uncased, once");
    o->spec.casing = key == 'c' ? HEED_CASED : HEED_UNCASED;
    return 0;
  case 'o':
    o->spec.output = value;
    return 0;
  case 's':
    return heed_option_set(state, value, &o->settings);
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->spec.weights);
  case ARGP_KEY_END:
    if (!o->spec.weights)
      argp_error(state, "a safetensors file, or the folder that holds model.safetensors, is needed");
    if (!o->spec.output)
      argp_error(state, "--output is missing: the checkpoint folder to write");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static void print_report(const import_options *o, const heed_import_report *report) {
  printf("%s: %lld tensors, %.1f M parameters, %scased\n", o->spec.output, (long long)report->tensors, 1e-6 * (double)report->parameters,
         report->cased ? "" : "un");
  if (report->vocabulary_filled_up > 0)
    heed_warn("the model has %lld more rows than the vocabulary has tokens: they are named [padding-N]",
              (long long)report->vocabulary_filled_up);
  if (*report->initialised)
    heed_warn("not in the file, so initialised and in need of training: %s", report->initialised);
  if (*report->left_out)
    heed_warn("in the file, but of no use to this model, so left out: %s", report->left_out);
}

heed_status heed_command_import(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "MODEL.safetensors|FOLDER",
      "Makes a checkpoint of a BERT, GPT-2 or ModernBERT that Hugging Face transformers saved.\v"
      "FOLDER is one that save_pretrained wrote: model.safetensors, config.json, and vocab.txt, or vocab.json and merges.txt.  evaluate, "
      "fill, generate, embed, inspect and export take the checkpoint; train takes it as train.start_from.",
      0,
      0,
      0};
  import_options o = {0};
  heed_import_report report;
  heed_status status = heed_parse_options(&argp, argc, argv, &o);
  o.spec.settings = o.settings.items;
  o.spec.setting_count = o.settings.count;
  if (status == HEED_OK && (status = heed_import(&o.spec, &report)) == HEED_OK) {
    print_report(&o, &report);
    heed_import_report_free(&report);
  }
  heed_settings_free(&o.settings);
  return status;
}
