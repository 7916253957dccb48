#include "base/config_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { MOST_DROPPED = 65536 }; /* keys that dropout's counters tell apart (kernels.h) */

static const heed_config_value *value_of(const heed_config_document *document, const char *path) {
  return &document->values[heed_config_find(path)];
}

static bool is_given(const heed_config_value *value) {
  return value->line > 0 || value->setting;
}

/* Of two places, the one that people changed last: a --set, else the line of the first key that the file gives. */
static heed_status at_either(const heed_config_document *document, const char *first, const char *second, heed_status status) {
  const heed_config_value *a = value_of(document, first), *b = value_of(document, second);
  bool take_second = !is_given(a) || (b->setting && !a->setting);
  return heed_config_document_at(document, take_second ? b : a, status);
}

/* A name becomes a folder below runs/. */
static bool is_folder_name(const char *name) {
  return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static heed_status derive_run(heed_run_config *run, const heed_config_document *document) {
  if (!run->name && !run->output)
    return heed_error(HEED_INVALID, "%s: run.name is missing; the run's folder will be runs/NAME (or name it with run.output)",
                      document->name);
  if (!run->name) { /* the last part of the folder's path */
    size_t length;
    const char *last = heed_path_name(run->output, &length);
    run->name = strndup(last, length);
  }
  if (run->name && !is_folder_name(run->name))
    return heed_config_document_at(
        document, value_of(document, "run.name"),
        heed_error(HEED_INVALID, "run.name: '%.80s' is no name of a folder; a path goes into run.output", run->name));
  if (run->name && !run->output && asprintf(&run->output, "runs/%s", run->name) < 0)
    run->output = NULL;
  return run->name && run->output ? HEED_OK : heed_error(HEED_FAILED, "out of memory for the configuration");
}

heed_status heed_config_derive(heed_config *config, const heed_config_document *document) {
  HEED_TRY(derive_run(&config->run, document));
  if (!is_given(value_of(document, "model.feed_forward")))
    config->model.feed_forward = 4 * config->model.hidden;
  if (!is_given(value_of(document, "train.slices"))) /* up to 8 ranks of 2ᵏ */
    for (config->train.slices = 8; config->train.batch_sequences % config->train.slices != 0;)
      config->train.slices /= 2;
  return HEED_OK;
}

static heed_status check_positions(const heed_model_config *model, const heed_config_document *document) {
  int64_t width = model->hidden / model->heads;
  bool waves = model->positions == HEED_POSITIONS_SINUSOIDAL, grid = model->positions == HEED_POSITIONS_SINUSOIDAL_2D;
  if ((waves && model->hidden % 2 != 0) || (grid && model->hidden % 4 != 0))
    return at_either(document, "model.positions", "model.hidden",
                     heed_error(HEED_INVALID, "model.positions: %s needs model.hidden a multiple of %d, found %lld",
                                waves ? "sinusoidal" : "sinusoidal_2d", waves ? 2 : 4, (long long)model->hidden));
  if (model->positions == HEED_POSITIONS_ROTARY && width % 2 != 0)
    return at_either(document, "model.positions", "model.heads",
                     heed_error(HEED_INVALID, "model.positions: rotary needs an even number of channels a head; %lld / %lld heads is %lld",
                                (long long)model->hidden, (long long)model->heads, (long long)width));
  if (grid != (model->position_columns > 0))
    return at_either(document, "model.position_columns", "model.positions",
                     heed_error(HEED_INVALID, grid ? "model.positions: sinusoidal_2d needs model.position_columns, the tokens of a row"
                                                   : "model.position_columns is for model.positions: sinusoidal_2d; set it to 0"));
  return HEED_OK;
}

static heed_status check_model(const heed_config *config, const heed_config_document *document) {
  const heed_model_config *model = &config->model;
  if (model->hidden % model->heads != 0)
    return at_either(document, "model.hidden", "model.heads",
                     heed_error(HEED_INVALID, "model.hidden %lld is not a multiple of model.heads %lld; change one of them",
                                (long long)model->hidden, (long long)model->heads));
  if (config->train.sequence_length > model->max_positions)
    return at_either(document, "train.sequence_length", "model.max_positions",
                     heed_error(HEED_INVALID,
                                "train.sequence_length %lld is above model.max_positions %lld; shorten one or raise the other",
                                (long long)config->train.sequence_length, (long long)model->max_positions));
  HEED_TRY(check_positions(model, document));
  if (model->global_every > 0 && model->window == 0)
    return at_either(document, "model.global_every", "model.window",
                     heed_error(HEED_INVALID, "model.global_every says which layers see beyond model.window, and there is no window; set "
                                              "model.window, or global_every 0"));
  if (config->objective.predict == HEED_PREDICT_NEXT_TOKEN && !model->causal)
    return at_either(document, "objective.predict", "model.causal",
                     heed_error(HEED_INVALID, "objective.predict: next_token needs model.causal: true; else a token sees what it is to "
                                              "predict"));
  if (config->objective.predict == HEED_PREDICT_NEXT_TOKEN && config->objective.next_sentence)
    return at_either(document, "objective.next_sentence", "objective.predict",
                     heed_error(HEED_INVALID, "objective.next_sentence goes with objective.predict: masked only"));
  if (model->attention_dropout > 0 && config->train.sequence_length > MOST_DROPPED)
    return at_either(document, "model.attention_dropout", "train.sequence_length",
                     heed_error(HEED_INVALID,
                                "model.attention_dropout draws for up to %d tokens; set it to 0 for train.sequence_length %lld",
                                MOST_DROPPED, (long long)config->train.sequence_length));
  if (config->objective.next_sentence && model->token_types < 2)
    return at_either(
        document, "objective.next_sentence", "model.token_types",
        heed_error(HEED_INVALID, "objective.next_sentence needs model.token_types 2 or more, found %lld", (long long)model->token_types));
  if (config->objective.next_sentence && config->train.sequence_length < 5)
    return at_either(document, "train.sequence_length", "objective.next_sentence",
                     heed_error(HEED_INVALID, "objective.next_sentence needs train.sequence_length 5 or more, found %lld",
                                (long long)config->train.sequence_length));
  return HEED_OK;
}

/* What every layer is divided by: heads go whole to a rank, the rest as evenly as it can. */
static heed_status check_parallel(const heed_config *config, const heed_config_document *document) {
  const struct {
    const char *key;
    int64_t count;
  } divided[] = {{"model.feed_forward", config->model.feed_forward}, {"model.vocabulary_size", config->model.vocabulary_size}};
  const int64_t ranks = config->parallel.tensor;
  if (config->model.heads % ranks != 0)
    return at_either(document, "parallel.tensor", "model.heads",
                     heed_error(HEED_INVALID, "parallel.tensor: %lld ranks cannot share the %lld heads of a layer evenly; take a divisor",
                                (long long)ranks, (long long)config->model.heads));
  for (size_t i = 0; i < sizeof divided / sizeof *divided; i++)
    if (divided[i].count < ranks)
      return at_either(document, "parallel.tensor", divided[i].key,
                       heed_error(HEED_INVALID, "parallel.tensor: %lld ranks are more than %s %lld has parts", (long long)ranks,
                                  divided[i].key, (long long)divided[i].count));
  return HEED_OK;
}

static heed_status check_train(const heed_config *config, const heed_config_document *document) {
  const heed_train_config *train = &config->train;
  if (train->batch_sequences % train->slices != 0)
    return at_either(document, "train.batch_sequences", "train.slices",
                     heed_error(HEED_INVALID, "train.batch_sequences %lld is not a multiple of train.slices %lld; change one of them",
                                (long long)train->batch_sequences, (long long)train->slices));
  if (train->batch_sequences > INT32_MAX / train->sequence_length)
    return at_either(
        document, "train.batch_sequences", "train.sequence_length",
        heed_error(HEED_INVALID,
                   "train.batch_sequences %lld times train.sequence_length %lld is above 2147483647 tokens a step; make one smaller",
                   (long long)train->batch_sequences, (long long)train->sequence_length));
  return HEED_OK;
}

static heed_status check_schedule(const heed_config *config, const heed_config_document *document) {
  const heed_schedule_config *schedule = &config->schedule;
  int64_t steps = config->train.steps;
  if (schedule->warmup_steps > steps)
    return at_either(document, "schedule.warmup_steps", "train.steps",
                     heed_error(HEED_INVALID, "schedule.warmup_steps %lld is above train.steps %lld; shorten one or raise the other",
                                (long long)schedule->warmup_steps, (long long)steps));
  if (schedule->decay == HEED_STABLE && schedule->decay_steps == 0)
    return at_either(document, "schedule.decay", "schedule.decay_steps",
                     heed_error(HEED_INVALID, "schedule.decay: stable needs schedule.decay_steps, the length of its final decay"));
  if (schedule->decay != HEED_STABLE && schedule->decay_steps > 0)
    return at_either(document, "schedule.decay_steps", "schedule.decay",
                     heed_error(HEED_INVALID, "schedule.decay_steps is for schedule.decay: stable; set it to 0 or choose stable"));
  if (schedule->warmup_steps + schedule->decay_steps > steps)
    return at_either(
        document, "schedule.decay_steps", "train.steps",
        heed_error(HEED_INVALID,
                   "schedule.warmup_steps %lld and schedule.decay_steps %lld are together above train.steps %lld; shorten them",
                   (long long)schedule->warmup_steps, (long long)schedule->decay_steps, (long long)steps));
  return HEED_OK;
}

heed_status heed_config_check(const heed_config *config, const heed_config_document *document) {
  HEED_TRY(check_model(config, document));
  HEED_TRY(check_parallel(config, document));
  HEED_TRY(check_train(config, document));
  return check_schedule(config, document);
}

heed_status heed_config_check_training(const heed_config *config, const char *name) {
  if (config->data.train_count == 0)
    return heed_error(HEED_INVALID, "%s: data.train is missing: the token shards to train on (`heed prepare` writes them)", name);
  if (!config->data.vocabulary)
    return heed_error(HEED_INVALID, "%s: data.vocabulary is missing: the vocabulary that the token shards were made with", name);
  return HEED_OK;
}
