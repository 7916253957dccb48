#include "train/session.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/pulse.h"
#include "heed/log.h"
#include "models/level.h"
#include "train/run_folder.h"

static heed_status open_data(heed_session *s) {
  const heed_config *config = s->config;
  HEED_TRY(heed_config_check_training(config, config->run.name));
  return heed_sampler_open_run(config, &s->tokenizer, &s->training, &s->validation);
}

/* Machines may have copies of the files, and a copy may be an old one: no rank trains on something else than rank 0 does. */
static heed_status check_alike(const heed_session *s) {
  const uint64_t mine[3] = {heed_hash(s->config_text, strlen(s->config_text)), heed_sampler_data_hash(s->training),
                            s->validation ? heed_sampler_data_hash(s->validation) : 0};
  uint64_t of_root[3];
  memcpy(of_root, mine, sizeof of_root);
  s->communication->broadcast(s->communication, of_root, sizeof of_root);
  if (mine[0] != of_root[0])
    return heed_error(HEED_INVALID,
                      "the configuration here is not that of rank 0; all machines must have the same file, and the same --set");
  for (int i = 1; i < 3; i++)
    if (mine[i] != of_root[i])
      return heed_error(HEED_INVALID, "%s: holds other data here than on rank 0's machine; copy the same files to all machines",
                        i == 1 ? s->config->data.train[0] : s->config->data.validation[0]);
  return HEED_OK;
}

/* What a run comes from is told when it begins, not when it may still be refused. */
__attribute__((format(printf, 2, 3))) static heed_status set_origin(heed_session *s, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  free(s->origin);
  bool made = vasprintf(&s->origin, format, arguments) >= 0;
  va_end(arguments);
  if (!made)
    s->origin = NULL;
  return made ? HEED_OK : heed_error(HEED_FAILED, "out of memory for a path");
}

/* Takes the run folder and decides where to begin.  \param[out] from  the checkpoint to go on from, or NULL */
static heed_status open_store(heed_session *s, char **from) {
  const heed_config *config = s->config;
  HEED_TRY(heed_checkpoint_store_open(&s->store, config->run.output, config->checkpoint.keep, s->communication));
  heed_checkpoint_store_split(s->store, config->checkpoint.max_file_mib << 20);
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
  return *from ? HEED_OK : set_origin(s, "nothing is saved in %s yet: starting at step 0", config->run.output);
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
  heed_token_spec evaluation = {.model = heed_stepper_model(s->stepper),
                                .sampler = s->validation,
                                .tokenizer = s->tokenizer,
                                .communication = s->communication,
                                .config = config,
                                .slices_at_once = heed_stepper_slices_at_once(s->stepper)};
  return s->communication->agree(s->communication, heed_token_evaluator_create(&s->evaluator, &evaluation));
}

static heed_checkpoint_tensors tensors_of(heed_session *s, bool moments) {
  heed_optimizer *optimizer = heed_stepper_optimizer(s->stepper);
  return (heed_checkpoint_tensors){.table = heed_stepper_table(s->stepper),
                                   .parameters = heed_stepper_masters(s->stepper),
                                   .parameters_sharded = heed_stepper_is_sharded(s->stepper),
                                   .moments = moments ? 2 : 0,
                                   .moment_names = {"m", "v"},
                                   .moment_shards = {heed_optimizer_moment(optimizer, 0), heed_optimizer_moment(optimizer, 1)}};
}

/* Whether weights and moments are still what was watched when a save has read them.  If not, the session ends. */
static heed_status are_sound(void *session) {
  heed_session *s = session;
  const heed_status status = heed_stepper_is_sound(s->stepper);
  s->unsound = status != HEED_OK;
  return status;
}

/* Reads weights, and moments too if they are wanted.  Collective. */
static heed_status load(heed_session *s, const char *from, bool moments) {
  const heed_checkpoint_tensors tensors = tensors_of(s, moments);
  HEED_TRY(heed_checkpoint_load(from, &tensors, s->communication));
  heed_stepper_take(s->stepper);
  return HEED_OK;
}

/* The ids of a vocabulary have one meaning: weights and data must have been made with the same. */
static heed_status check_vocabulary(const heed_session *s, const heed_checkpoint_info *info, const char *from) {
  size_t bytes;
  const char *text = heed_tokenizer_text(s->tokenizer, &bytes);
  if (strlen(info->vocabulary) != bytes || memcmp(info->vocabulary, text, bytes) != 0)
    return heed_error(HEED_INVALID, "%s was trained with another vocabulary than %s; use the one it holds, or start without it", from,
                      s->config->data.vocabulary);
  if (info->cased != heed_tokenizer_is_cased(s->tokenizer))
    return heed_error(HEED_INVALID, "%s was trained on %s text, data.train is %s; prepare the data %s --cased", from,
                      info->cased ? "cased" : "uncased", info->cased ? "uncased" : "cased", info->cased ? "with" : "without");
  return HEED_OK;
}

/* A run goes on with the data that it began with, wherever they lie now. */
static heed_status check_data(const heed_session *s, const heed_checkpoint_info *info, const char *from) {
  if (!info->data_hash || info->data_hash == heed_sampler_data_hash(s->training))
    return HEED_OK;
  return heed_error(HEED_INVALID,
                    "data.train: %s%s holds other data than %s was trained on, or in another order; a run goes on with the same "
                    "(train.start_from takes the weights only)",
                    s->config->data.train[0], s->config->data.train_count > 1 ? " …" : "", from);
}

/* Whether this run may go on from a checkpoint (`whole`), or start from its weights. */
static heed_status check_saved(const heed_session *s, const heed_checkpoint_info *info, const char *from, bool whole) {
  heed_config saved = {0};
  HEED_TRY(heed_config_parse(&saved, info->config, from, NULL, 0));
  heed_status status = whole ? heed_config_check_resume(&saved, s->config) : heed_config_check_model(&saved, s->config);
  if (status != HEED_OK && !whole)
    heed_error_in(status, "train.start_from: %s", from);
  heed_config_free(&saved);
  HEED_TRY(status);
  HEED_TRY(check_vocabulary(s, info, from));
  return whole ? check_data(s, info, from) : HEED_OK;
}

/* Rank 0 reads and checks a checkpoint's numbers and texts; the others receive the numbers.  Collective.
 * \param[out] folder  the checkpoint's, allocated, on rank 0 */
static heed_status read_saved(heed_session *s, const char *from, bool whole, heed_checkpoint_info *info, char **folder) {
  heed_communication *c = s->communication;
  heed_status status = HEED_OK;
  *info = (heed_checkpoint_info){0};
  *folder = NULL;
  if (c->rank == 0) {
    status = heed_checkpoint_read_info(from, info, folder);
    if (status == HEED_OK)
      status = check_saved(s, info, *folder, whole);
    heed_checkpoint_info_free(info);
  }
  status = c->agree(c, status);
  if (status == HEED_OK)
    c->broadcast(c, info, sizeof *info);
  return status;
}

static heed_status resume(heed_session *s, const char *from) {
  heed_checkpoint_info info;
  char *folder;
  heed_status status = read_saved(s, from, true, &info, &folder);
  free(folder);
  HEED_TRY(status);
  s->step = info.step;
  s->updates = info.updates;
  s->data_position = info.data_position;
  s->samples_seen = info.samples_seen;
  s->validation_loss = info.validation_loss;
  if (strcmp(info.isa, s->kernels->isa) != 0 || strcmp(info.blas, heed_blas_core()) != 0)
    heed_warn("saved with %s and OpenBLAS for %s, running %s and %s: it goes on, but not bit for bit", info.isa, info.blas, s->kernels->isa,
              heed_blas_core());
  HEED_TRY(load(s, from, true));
  return set_origin(s, "resuming at step %lld from %s", (long long)s->step, from);
}

static heed_status take_weights(heed_session *s, const char *from) {
  heed_checkpoint_info info;
  char *folder; /* rank 0 reads the weights, from the checkpoint that it checked */
  heed_status status = read_saved(s, from, false, &info, &folder);
  if (status == HEED_OK)
    status = load(s, folder, false);
  if (status == HEED_OK)
    status = set_origin(s, "starting at step 0 from the weights of %s (its step %lld)", folder ? folder : from, (long long)info.step);
  free(folder);
  return status;
}

/* The weights of step 0. */
static heed_status begin(heed_session *s) {
  if (s->config->train.start_from)
    return take_weights(s, s->config->train.start_from);
  heed_stepper_initialise(s->stepper, s->config->run.seed);
  return HEED_OK;
}

heed_status heed_session_roll_back(heed_session *s, char **from) {
  heed_communication *c = s->communication;
  heed_checkpoint_info info = {0};
  char *folder;
  HEED_TRY(heed_checkpoint_newest(s->store, from));
  if (*from) {
    heed_status status = read_saved(s, *from, true, &info, &folder);
    free(folder);
    if (status == HEED_OK)
      status = load(s, *from, true);
    HEED_TRY(status);
  } else if (!heed_checkpoint_store_is_empty(s->store)) {
    return heed_error(HEED_INVALID, "none of the checkpoints of %s is sound, so there is none to return to", s->config->run.output);
  } else {
    heed_optimizer_forget(heed_stepper_optimizer(s->stepper));
    HEED_TRY(c->agree(c, begin(s)));
  }
  s->updates = info.updates;
  return HEED_OK;
}

/* Takes the run folder, last of all: what is refused before leaves nothing behind. */
static heed_status restore(heed_session *s) {
  char *from = NULL;
  if (!s->options.resume)
    HEED_TRY(s->communication->agree(s->communication, begin(s)));
  heed_status status = s->communication->agree(s->communication, open_store(s, &from));
  if (status == HEED_OK && s->options.resume)
    status = s->communication->agree(s->communication, from ? resume(s, from) : begin(s));
  s->fresh = !from;
  free(from);
  return status;
}

void heed_session_path(const heed_session *s, const char *name, char path[HEED_RUN_PATH]) {
  snprintf(path, HEED_RUN_PATH, "%s/%s", s->config->run.output, name);
}

/* Does the same to each file of the vocabulary in the run folder. */
static heed_status for_vocabulary(heed_session *s, heed_status (*act)(const char *path, const void *text, size_t bytes)) {
  char path[HEED_RUN_PATH];
  const char *name, *text;
  size_t bytes;
  for (int i = 0; heed_tokenizer_files(s->tokenizer, i, &name, &text, &bytes); i++) {
    heed_session_path(s, name, path);
    HEED_TRY(act(path, text, bytes));
  }
  return HEED_OK;
}

/* What a run folder holds beside checkpoints: configuration, vocabulary, metrics.  Rank 0 only. */
static heed_status write_run_folder(heed_session *s) {
  char configuration[HEED_RUN_PATH], metrics[HEED_RUN_PATH];
  heed_session_path(s, "config.yaml", configuration);
  heed_session_path(s, "metrics.jsonl", metrics);
  if (s->fresh) {
    HEED_TRY(heed_run_folder_check_config(configuration));
    HEED_TRY(for_vocabulary(s, heed_run_folder_check_vocabulary));
    HEED_TRY(heed_run_folder_spare(s->config->run.output));
  }
  HEED_TRY(heed_file_replace(configuration, s->config_text, strlen(s->config_text)));
  HEED_TRY(for_vocabulary(s, heed_file_replace));
  HEED_TRY(heed_metrics_open(&s->metrics, metrics, s->step));
  s->report = heed_report_open(&(heed_report_spec){.folder = s->config->run.output,
                                                   .name = s->config->run.name,
                                                   .config_text = s->config_text,
                                                   .step = s->step,
                                                   .steps = s->config->train.steps,
                                                   .parameters = heed_parameters_whole_total(heed_stepper_table(s->stepper)),
                                                   .ranks = s->communication->size,
                                                   .threads = omp_get_max_threads(),
                                                   .metrics = s->metrics});
  return HEED_OK;
}

/* Rank 0 and the ranks with the other parts of its model.  Collective. */
static void open_showing(heed_session *s) {
  heed_communication *c = s->communication;
  heed_showing_spec showing = {.model = heed_stepper_model(s->stepper),
                               .sampler = s->validation,
                               .tokenizer = s->tokenizer,
                               .config = s->config,
                               .tensor = c->tensor};
  const bool shows = s->validation && c->data->rank == 0;
  if (c->agree(c, shows ? heed_showing_create(&s->showing, &showing) : HEED_OK) == HEED_OK)
    return;
  heed_warn("%s (training goes on without them)", heed_error_text());
  heed_showing_free(s->showing);
  s->showing = NULL;
}

heed_status heed_session_open(heed_session *s, const heed_config *config, const heed_train_options *options,
                              heed_communication *communication) {
  *s = (heed_session){
      .config = config, .options = *options, .communication = communication, .validation_loss = NAN, .begun = heed_seconds()};
  heed_communication *c = communication;
  HEED_TRY(heed_level_agree(&s->kernels, communication));
  HEED_TRY(c->agree(c, heed_config_print(config, &s->config_text)));
  heed_pulse_enter(HEED_PHASE_OPENING_DATA);
  HEED_TRY(c->agree(c, open_data(s)));
  HEED_TRY(c->agree(c, check_alike(s)));
  heed_pulse_enter(HEED_PHASE_BUILDING);
  HEED_TRY(open_model(s));
  heed_pulse_enter(HEED_PHASE_OPENING_RUN);
  HEED_TRY(restore(s));
  heed_pulse_enter(HEED_PHASE_OPENING_RUN);
  HEED_TRY(c->agree(c, c->rank == 0 ? write_run_folder(s) : HEED_OK));
  open_showing(s);
  return c->agree(c, heed_reader_create(&s->reader, s->training, (uint32_t)s->data_position, heed_stepper_first_slice(s->stepper),
                                        heed_stepper_slices(s->stepper), heed_stepper_slices_at_once(s->stepper)));
}

void heed_session_close(heed_session *s) {
  heed_checkpoint_store_close(s->store); /* first: a save that goes on reads what is freed below */
  heed_reader_free(s->reader);
  heed_showing_free(s->showing);
  heed_report_close(s->report);
  heed_metrics_close(s->metrics);
  heed_token_evaluator_free(s->evaluator);
  heed_stepper_free(s->stepper);
  heed_sampler_free(s->validation);
  heed_sampler_free(s->training);
  heed_tokenizer_free(s->tokenizer);
  free(s->config_text);
  free(s->origin);
}

heed_status heed_session_save(heed_session *s, bool now) {
  size_t bytes;
  heed_checkpoint_info info = {.step = s->step,
                               .updates = s->updates,
                               .data_position = s->data_position,
                               .samples_seen = s->samples_seen,
                               .seed = s->config->run.seed,
                               .cased = heed_tokenizer_is_cased(s->tokenizer),
                               .data_hash = heed_sampler_data_hash(s->training),
                               .validation_loss = s->validation_loss,
                               .config = s->config_text,
                               .vocabulary = (char *)heed_tokenizer_text(s->tokenizer, &bytes)};
  snprintf(info.isa, sizeof info.isa, "%s", s->kernels->isa);
  snprintf(info.blas, sizeof info.blas, "%s", heed_blas_core());
  heed_checkpoint_tensors tensors = tensors_of(s, true);
  tensors.are_sound = are_sound;
  tensors.context = s;
  return now || !s->config->checkpoint.background ? heed_checkpoint_save(s->store, &info, &tensors)
                                                  : heed_checkpoint_begin(s->store, &info, &tensors);
}
