#include "train/session.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/file.h"
#include "heed/log.h"
#include "train/level.h"

static heed_status open_tokenizer(heed_session *s) {
  const heed_data_config *data = &s->config->data;
  bool cased;
  HEED_TRY(heed_sampler_casing((const char *const *)data->train, data->train_count, &cased));
  HEED_TRY(heed_tokenizer_open(&s->tokenizer, data->vocabulary, cased));
  if (heed_tokenizer_size(s->tokenizer) != s->config->model.vocabulary_size)
    return heed_error(HEED_INVALID, "%s has %lld tokens, but model.vocabulary_size is %lld: make them equal", data->vocabulary,
                      (long long)heed_tokenizer_size(s->tokenizer), (long long)s->config->model.vocabulary_size);
  return HEED_OK;
}

static heed_status open_data(heed_session *s) {
  const heed_config *config = s->config;
  HEED_TRY(open_tokenizer(s));
  heed_sampler_spec spec = {.paths = (const char *const *)config->data.train,
                            .path_count = config->data.train_count,
                            .tokenizer = s->tokenizer,
                            .objective = config->objective,
                            .sequence_length = config->train.sequence_length,
                            .batch_sequences = config->train.batch_sequences,
                            .slices = config->train.slices,
                            .seed = config->run.seed};
  HEED_TRY(heed_sampler_create(&s->training, &spec));
  if (config->data.validation_count == 0)
    return HEED_OK;
  spec.paths = (const char *const *)config->data.validation;
  spec.path_count = config->data.validation_count;
  spec.evaluation = true;
  return heed_sampler_create(&s->validation, &spec);
}

/* Takes the run folder and decides where to begin.  \param[out] from  the checkpoint to go on from, or NULL */
static heed_status open_store(heed_session *s, char **from) {
  const heed_config *config = s->config;
  HEED_TRY(heed_checkpoint_store_open(&s->store, config->run.output, config->checkpoint.keep, s->communication));
  bool empty = heed_checkpoint_store_is_empty(s->store);
  if (!s->options.resume) {
    if (!empty)
      return heed_error(HEED_INVALID, "%s already holds checkpoints: add --resume to go on, or choose another run.output",
                        config->run.output);
    return HEED_OK;
  }
  HEED_TRY(heed_checkpoint_newest(s->store, from));
  if (!*from && !empty)
    return heed_error(HEED_INVALID, "%s: none of its checkpoints is sound, so there is nothing to resume; choose another run.output",
                      config->run.output);
  if (!*from)
    heed_info("nothing is saved in %s yet: starting at step 0", config->run.output);
  return HEED_OK;
}

static heed_status open_model(heed_session *s) {
  const heed_config *config = s->config;
  heed_stepper_spec spec = {.config = config,
                            .kernels = s->kernels,
                            .communication = s->communication,
                            .targets_per_sequence = heed_sampler_most_targets(s->training, 1),
                            .ranks_on_node = s->options.ranks_on_node};
  if (s->validation && heed_sampler_most_targets(s->validation, 1) > spec.targets_per_sequence)
    spec.targets_per_sequence = heed_sampler_most_targets(s->validation, 1);
  HEED_TRY(heed_stepper_create(&s->stepper, &spec));
  if (!s->validation)
    return HEED_OK;
  heed_masked_spec evaluation = {.model = heed_stepper_model(s->stepper),
                                 .sampler = s->validation,
                                 .communication = s->communication,
                                 .vocabulary_size = config->model.vocabulary_size,
                                 .batch_sequences = config->train.batch_sequences,
                                 .slices = config->train.slices,
                                 .slices_at_once = heed_stepper_slices_at_once(s->stepper),
                                 .sequence_length = config->train.sequence_length,
                                 .next_sentence = config->objective.next_sentence};
  return s->communication->agree(s->communication, heed_masked_evaluator_create(&s->evaluator, &evaluation));
}

static heed_checkpoint_tensors tensors_of(heed_session *s, bool moments) {
  heed_optimizer *optimizer = heed_stepper_optimizer(s->stepper);
  return (heed_checkpoint_tensors){.table = heed_stepper_table(s->stepper),
                                   .parameters = heed_stepper_parameters(s->stepper),
                                   .moments = moments ? 2 : 0,
                                   .moment_names = {"m", "v"},
                                   .moment_shards = {heed_optimizer_moment(optimizer, 0), heed_optimizer_moment(optimizer, 1)}};
}

/* The saved configuration must allow this one; then the numbers of the run are taken over. */
static heed_status take_info(heed_session *s, const char *from) {
  heed_checkpoint_info info = {0};
  heed_config saved = {0};
  heed_status status = heed_checkpoint_read_info(from, &info, NULL);
  if (status == HEED_OK)
    status = heed_config_parse(&saved, info.config, from, NULL, 0);
  if (status == HEED_OK)
    status = heed_config_check_resume(&saved, s->config);
  if (status == HEED_OK) {
    s->step = info.step;
    s->updates = info.updates;
    s->data_position = info.data_position;
    s->samples_seen = info.samples_seen;
    s->validation_loss = info.validation_loss;
    if (strcmp(info.isa, s->kernels->isa) != 0 || strcmp(info.blas, heed_blas_core()) != 0)
      heed_warn("saved with %s and OpenBLAS for %s, running %s and %s: it goes on, but not bit for bit", info.isa, info.blas,
                s->kernels->isa, heed_blas_core());
  }
  heed_checkpoint_info_free(&info);
  heed_config_free(&saved);
  return status;
}

static heed_status restore(heed_session *s, const char *from) {
  heed_communication *c = s->communication;
  const char *weights = s->config->train.start_from;
  if (from) {
    HEED_TRY(c->agree(c, take_info(s, from)));
    heed_checkpoint_tensors tensors = tensors_of(s, true);
    HEED_TRY(heed_checkpoint_load(from, &tensors, c));
    s->saved_step = s->step;
    heed_info("resuming at step %lld from %s", (long long)s->step, from);
  } else if (weights) {
    char *folder = NULL;
    heed_checkpoint_info info = {0};
    HEED_TRY(c->agree(c, heed_checkpoint_read_info(weights, &info, &folder)));
    heed_checkpoint_tensors tensors = tensors_of(s, false);
    heed_status status = heed_checkpoint_load(folder, &tensors, c);
    if (status == HEED_OK)
      heed_info("starting from the weights of %s (its step %lld)", folder, (long long)info.step);
    heed_checkpoint_info_free(&info);
    free(folder);
    return status;
  } else {
    heed_parameters_initialise(heed_stepper_table(s->stepper), heed_stepper_parameters(s->stepper), s->config->run.seed);
  }
  return HEED_OK;
}

/* What a run folder holds beside checkpoints: configuration, vocabulary, metrics.  Rank 0 only. */
static heed_status write_run_folder(heed_session *s) {
  char path[4096];
  size_t bytes;
  const char *vocabulary = heed_tokenizer_text(s->tokenizer, &bytes);
  snprintf(path, sizeof path, "%s/config.yaml", s->config->run.output);
  HEED_TRY(heed_file_replace(path, s->config_text, strlen(s->config_text)));
  snprintf(path, sizeof path, "%s/vocab.txt", s->config->run.output);
  HEED_TRY(heed_file_replace(path, vocabulary, bytes));
  snprintf(path, sizeof path, "%s/metrics.jsonl", s->config->run.output);
  return heed_metrics_open(&s->metrics, path, s->step);
}

heed_status heed_session_open(heed_session *s, const heed_config *config, const heed_train_options *options,
                              heed_communication *communication) {
  *s = (heed_session){.config = config,
                      .options = *options,
                      .communication = communication,
                      .validation_loss = NAN,
                      .evaluated_step = -1,
                      .saved_step = -1,
                      .begun = heed_seconds()};
  heed_communication *c = communication;
  char *from = NULL;
  HEED_TRY(heed_level_agree(&s->kernels, communication));
  HEED_TRY(c->agree(c, heed_config_print(config, &s->config_text)));
  HEED_TRY(c->agree(c, open_data(s)));
  heed_status status = c->agree(c, open_store(s, &from));
  if (status == HEED_OK)
    status = open_model(s);
  if (status == HEED_OK)
    status = restore(s, from);
  free(from);
  HEED_TRY(status);
  HEED_TRY(c->agree(c, c->rank == 0 ? write_run_folder(s) : HEED_OK));
  return c->agree(c, heed_reader_create(&s->reader, s->training, (uint32_t)s->data_position, heed_stepper_first_slice(s->stepper),
                                        heed_stepper_slices(s->stepper), heed_stepper_slices_at_once(s->stepper)));
}

void heed_session_close(heed_session *s) {
  heed_reader_free(s->reader);
  heed_metrics_close(s->metrics);
  heed_masked_evaluator_free(s->evaluator);
  heed_stepper_free(s->stepper);
  heed_sampler_free(s->validation);
  heed_sampler_free(s->training);
  heed_tokenizer_free(s->tokenizer);
  heed_checkpoint_store_close(s->store);
  free(s->config_text);
}

heed_status heed_session_save(heed_session *s) {
  size_t bytes;
  heed_checkpoint_info info = {.step = s->step,
                               .updates = s->updates,
                               .data_position = s->data_position,
                               .samples_seen = s->samples_seen,
                               .seed = s->config->run.seed,
                               .cased = heed_tokenizer_is_cased(s->tokenizer),
                               .validation_loss = s->evaluated_step == s->step ? s->validation_loss : NAN,
                               .config = s->config_text,
                               .vocabulary = (char *)heed_tokenizer_text(s->tokenizer, &bytes)};
  snprintf(info.isa, sizeof info.isa, "%s", s->kernels->isa);
  snprintf(info.blas, sizeof info.blas, "%s", heed_blas_core());
  heed_checkpoint_tensors tensors = tensors_of(s, true);
  HEED_TRY(heed_checkpoint_save(s->store, &info, &tensors));
  s->saved_step = s->step;
  return HEED_OK;
}
