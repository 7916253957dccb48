/* heed train: under mpirun or alone. */
#include <argp.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "comm/watchdog.h"
#include "comm/world.h"
#include "heed/config.h"
#include "heed/trainer.h"
#include "train/signals.h"

typedef struct train_options {
  const char *config;
  heed_settings settings;
  bool resume;
} train_options;

static const struct argp_option options[] = {
    {"resume", 'r', NULL, 0, "go on from the newest good checkpoint of the run; start at step 0 when there is none", 0},
    {"set", 's', "KEY=VALUE", 0, "replace a value of the configuration, for example train.steps=100; as often as wanted", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  train_options *o = state->input;
  switch (key) {
  case 'r':
    o->resume = true;
    return 0;
  case 's':
    return heed_option_set(state, value, &o->settings);
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->config);
  case ARGP_KEY_END:
    if (!o->config)
      argp_error(state, "a configuration is needed, for example configs/bert-mini.yaml");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* All that depends on the world: from its opening to its end. */
static heed_status train(const train_options *o, heed_communication *world) {
  heed_config config = {0};
  int threads = 1;
  heed_status status = heed_config_read(&config, o->config, o->settings.items, o->settings.count);
  if (status == HEED_OK)
    status = heed_config_check_training(&config, o->config);
  status = world->agree(world, status); /* the first word between ranks, and of those that fail before it the last */
  if (status == HEED_OK)
    heed_watchdog_start(world);
  if (status == HEED_OK)
    status = world->agree(world, heed_world_check_ranks(config.train.slices, config.parallel.tensor, world->size, "mpirun -n"));
  if (status == HEED_OK)
    status = heed_world_divide(world, (int)config.parallel.tensor);
  if (status == HEED_OK)
    status = world->agree(world, heed_world_threads(world, &threads));
  if (status == HEED_OK) {
    heed_train_options training = {.resume = o->resume, .ranks_on_node = heed_world_node(world).size};
    status = heed_train(&config, &training, world);
  }
  heed_config_free(&config);
  return status;
}

heed_status heed_command_train(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "CONFIG.yaml",
      "Trains a model; `mpirun -n P heed train …` shares each step among P ranks.\v"
      "The results are the same bits on every allowed number of ranks and threads.  USR1, TERM or Ctrl-C saves "
      "at the next step and ends with exit code 75: run again with --resume to go on.  A second Ctrl-C ends at "
      "once, with 130.  A bare mpirun kills its ranks a second after TERM or Ctrl-C: send it USR1, or launch through jobs/.  A job in "
      "which nothing moves for 60 s, or 10 usual steps, ends with 124 and names the "
      "rank; HEED_WATCHDOG=SECONDS replaces the 60, 0 waits for ever.",
      0,
      0,
      0};
  train_options o = {0};
  heed_communication *world;
  heed_status status = heed_parse_options(&argp, argc, argv, &o);
  if (status == HEED_OK)
    heed_signals_install();
  if (status == HEED_OK)
    status = heed_world_open(&world);
  if (status == HEED_OK)
    status = train(&o, world);
  heed_settings_free(&o.settings);
  return status;
}
