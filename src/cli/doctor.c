/* heed doctor: whether the ranks of a job are alike, and what would go wrong with it, before it is trusted to a cluster. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/doctor_print.h"
#include "cli/options.h"
#include "comm/neighbours.h"
#include "comm/world.h"
#include "heed/config.h"
#include "measure/doctor.h"

typedef struct doctor_options {
  const char *config;
  heed_settings settings;
  bool json;
} doctor_options;

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "print JSON", 0},
                                             {"set", 's', "KEY=VALUE", 0, "replace a value of the configuration; as often as wanted", 0},
                                             {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  doctor_options *o = state->input;
  switch (key) {
  case 'j':
    o->json = true;
    return 0;
  case 's':
    return heed_option_set(state, value, &o->settings);
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->config);
  case ARGP_KEY_END:
    if (!o->config && o->settings.count > 0)
      argp_error(state, "--set replaces a value of a configuration: name one, for example configs/bert-mini.yaml");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static heed_status read_config(const doctor_options *o, heed_config *config) {
  if (!o->config)
    return HEED_OK;
  HEED_TRY(heed_config_read(config, o->config, o->settings.items, o->settings.count));
  return heed_config_check_training(config, o->config);
}

/* Records travel as bytes: of another version of Heed they may mean something else. */
static heed_status agree_on_record(heed_communication *world) {
  struct {
    char version[32];
    size_t bytes;
  } first = {HEED_VERSION, sizeof(heed_doctor_rank)};
  world->broadcast(world, &first, sizeof first);
  const bool same = first.bytes == sizeof(heed_doctor_rank) && strcmp(first.version, HEED_VERSION) == 0;
  return world->agree(world, same ? HEED_OK
                                  : heed_error(HEED_INVALID,
                                               "this rank runs heed %s, another version than rank 0's, %.31s: run one build everywhere",
                                               HEED_VERSION, first.version));
}

/* This rank's facts, but for those of a configuration. */
static heed_status look(heed_communication *world, heed_doctor_rank *mine) {
  heed_link link;
  heed_clock_offset clock;
  HEED_TRY(world->agree(world, heed_doctor_look(mine)));
  HEED_TRY(world->agree(world, heed_world_threads(world, &mine->threads)));
  HEED_TRY(heed_world_measure_link(world, &link));
  heed_world_compare_clocks(world, &clock);
  heed_world_library(mine->mpi, sizeof mine->mpi);
  mine->rank = world->rank;
  mine->machine = heed_world_machine(world);
  mine->processor_limit = heed_world_processor_limit();
  mine->link_seconds = link.seconds;
  mine->link_rate = link.bytes_per_second;
  mine->clock_offset = clock.seconds;
  mine->clock_uncertainty = clock.uncertainty;
  return HEED_OK;
}

/* Facts of the run.  \param[out] refused  why it cannot train on so many ranks; empty: it can */
static heed_status look_at_run(heed_communication *world, const heed_config *config, heed_doctor_rank *mine, heed_doctor_run *run,
                               char refused[HEED_DOCTOR_TEXT]) {
  const int on_node = heed_world_node(world).size;
  uint64_t checkpoint = 0;
  heed_status status = heed_world_check_ranks(config->train.slices, config->parallel.tensor, world->size, "mpirun -n");
  snprintf(refused, HEED_DOCTOR_TEXT, "%s", status == HEED_OK ? "" : heed_error_text());
  HEED_TRY(world->agree(world, heed_doctor_read_files(mine, config)));
  if (status == HEED_OK) {
    const heed_foresight job = heed_world_foresee(world->size, on_node, (int)config->parallel.tensor);
    heed_doctor_plan(mine, config, world->size, on_node, world->near > 1 ? job.near : 1, job.bytes, &checkpoint);
  }
  heed_doctor_open_data(mine, config); /* after the plan, which counts the memory that this process holds */
  heed_doctor_try_folder(run, mine, config, world);
  run->checkpoint_bytes = checkpoint;
  return HEED_OK;
}

static heed_status tell(const doctor_options *o, const heed_doctor_job *job, int *wrong) {
  heed_findings findings;
  heed_status status = heed_doctor_judge(&findings, job);
  if (status == HEED_OK)
    status = o->json ? heed_print_json(heed_doctor_json(job, &findings)) : heed_doctor_print(job, &findings);
  *wrong = findings.wrong;
  heed_findings_free(&findings);
  return status;
}

/* Rank 0 judges and prints; the number of what is wrong is everybody's. */
static heed_status examine(const doctor_options *o, heed_communication *world, const heed_config *config) {
  heed_doctor_run run = {0};
  heed_doctor_rank mine = {0};
  char refused[HEED_DOCTOR_TEXT] = "";
  int wrong = 0;
  HEED_TRY(agree_on_record(world));
  HEED_TRY(look(world, &mine));
  if (o->config)
    HEED_TRY(look_at_run(world, config, &mine, &run, refused));
  heed_doctor_rank *ranks = world->rank == 0 ? malloc((size_t)world->size * sizeof *ranks) : NULL;
  heed_status status =
      world->agree(world, world->rank != 0 || ranks ? HEED_OK : heed_error(HEED_FAILED, "out of memory for what the ranks tell"));
  if (status == HEED_OK) {
    heed_world_gather(world, ranks, &mine, sizeof mine);
    const heed_doctor_job job = {ranks, world->size, o->config ? &run : NULL, refused[0] ? refused : NULL};
    status = world->agree(world, world->rank == 0 ? tell(o, &job, &wrong) : HEED_OK);
  }
  free(ranks);
  HEED_TRY(status);
  world->broadcast(world, &wrong, sizeof wrong);
  if (wrong > 0)
    return heed_error(HEED_INVALID, "%d thing%s wrong with this job; what to do is told with each", wrong, wrong == 1 ? " is" : "s are");
  return HEED_OK;
}

heed_status heed_command_doctor(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "[CONFIG.yaml]",
      "Tells before a job whether all its ranks are alike, and what would go wrong: `mpirun -n P … heed doctor CONFIG.yaml`, launched as "
      "the "
      "training will be.\v"
      "Of each rank: host, build, MPI, instruction level, OpenBLAS, threads, binding, memory, /dev/shm, clock, and the link to the next "
      "rank.  "
      "With a configuration also: its files, the same to all ranks, and opened as training opens them; the run folder, tried by a file of "
      "the moment, which all must see; the number of ranks; memory and checkpoints as `heed plan` reckons them.\n\n"
      "What is wrong makes the exit code 65; what is doubtful is told and leaves it 0.\n\n"
      "JSON: ranks, a list of objects; findings, a list of {severity: wrong or doubtful, what, ranks, advice}; fine, whether there are "
      "none; "
      "run, of a configuration.",
      0,
      0,
      0};
  doctor_options o = {0};
  heed_config config = {0};
  heed_communication *world;
  heed_status status = heed_parse_options(&argp, argc, argv, &o);
  if (status == HEED_OK)
    status = heed_world_open(&world);
  if (status == HEED_OK) {
    status = world->agree(world, read_config(&o, &config));
    if (status == HEED_OK)
      status = examine(&o, world, &config);
  }
  heed_config_free(&config);
  heed_settings_free(&o.settings);
  return status;
}
