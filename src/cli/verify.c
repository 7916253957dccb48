/* heed verify: the same training at several numbers of ranks and threads, compared bit for bit. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "comm/world.h"
#include "heed/config.h"
#include "measure/verify.h"

enum { MOST_SIZES = 64, MOST_RANKS = 65536 };

/* A list of sizes: "1,2,4". */
typedef struct sizes {
  int64_t items[MOST_SIZES];
  int count;
} sizes;

typedef struct verify_options {
  const char *config;
  heed_settings settings;
  sizes ranks, threads;
  int64_t steps;
} verify_options;

static const struct argp_option options[] = {{"ranks", 'n', "P,…", 0, "numbers of ranks, for example 1,2,4", 0},
                                             {"threads", 't', "T,…", 0, "numbers of threads of each rank (default: 1)", 0},
                                             {"steps", 'S', "N", 0, "training steps of each run (default: 20)", 0},
                                             {"set", 's', "KEY=VALUE", 0, "replace a value of the configuration; as often as wanted", 0},
                                             {0}};

static void parse_sizes(struct argp_state *state, const char *name, const char *text, int most, sizes *list) {
  const char *at = text;
  list->count = 0;
  do {
    char *end;
    errno = 0;
    long long value = strtoll(at, &end, 10);
    if (errno || end == at || (*end && *end != ',') || value < 1 || value > most) {
      argp_error(state, "%s takes whole numbers from 1 to %d, for example 1,2,4, not '%s'", name, most, text);
      return;
    }
    if (list->count == MOST_SIZES) {
      argp_error(state, "%s takes at most %d numbers", name, MOST_SIZES);
      return;
    }
    list->items[list->count++] = value;
    at = *end ? end + 1 : NULL;
  } while (at);
}

static error_t parse(int key, char *value, struct argp_state *state) {
  verify_options *o = state->input;
  switch (key) {
  case 'n':
    parse_sizes(state, "--ranks", value, MOST_RANKS, &o->ranks);
    return 0;
  case 't':
    parse_sizes(state, "--threads", value, HEED_MOST_THREADS, &o->threads);
    return 0;
  case 'S':
    return heed_option_count(state, "--steps", value, &o->steps);
  case 's':
    return heed_option_set(state, value, &o->settings);
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->config);
  case ARGP_KEY_END:
    if (!o->config)
      argp_error(state, "a configuration is needed, for example configs/bert-tiny.yaml");
    if (o->ranks.count == 0)
      argp_error(state, "--ranks is needed, for example --ranks 1,2,4");
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* Whatever would be refused in the middle is refused before the first run. */
static heed_status check(const verify_options *o, const heed_config *config) {
  HEED_TRY(heed_config_check_training(config, o->config));
  if (heed_world_is_launched())
    return heed_error(HEED_INVALID, "heed verify starts mpirun itself: run it without");
  for (int i = 0; i < o->ranks.count; i++)
    HEED_TRY(heed_world_check_ranks(config->train.slices, config->parallel.tensor, (int)o->ranks.items[i], "--ranks"));
  return HEED_OK;
}

/* A run and its line of the table.  The first result is kept for comparison.  \param[in,out] different  runs that differ from it */
static heed_status compare(heed_verify *verify, int64_t ranks, int64_t threads, heed_verify_result *first, int *different) {
  heed_verify_result result;
  const char *name;
  bool is_first = first->count == 0;
  printf("%5lld  %7lld  ", (long long)ranks, (long long)threads); /* at once: a run may take minutes */
  HEED_TRY(heed_end_output());
  heed_status status = heed_verify_run(verify, ranks, threads, &result);
  if (status != HEED_OK) {
    puts("failed");
    return status;
  }
  printf("%7.1f  %016llx  ", result.seconds, (unsigned long long)result.hash);
  int64_t count = is_first ? 0 : heed_verify_differences(first, &result, &name);
  if (is_first)
    puts("first");
  else if (count == 0)
    puts("same");
  else
    printf("differs in %lld of %lld tensors, first %s\n", (long long)count, (long long)first->count, name);
  fflush(stdout);
  *different += count > 0;
  if (is_first)
    *first = result;
  else
    heed_verify_result_free(&result);
  return HEED_OK;
}

static heed_status verify_all(const verify_options *o, heed_verify *verify) {
  heed_verify_result first = {0};
  heed_status status = HEED_OK;
  int different = 0, runs = o->ranks.count * o->threads.count;
  printf("%5s  %7s  %7s  %-16s\n", "ranks", "threads", "seconds", "parameters");
  for (int i = 0; i < runs && status == HEED_OK; i++)
    status = compare(verify, o->ranks.items[i / o->threads.count], o->threads.items[i % o->threads.count], &first, &different);
  heed_verify_result_free(&first);
  if (status == HEED_OK && different > 0)
    status = heed_error(HEED_FAILED, "%d of %d runs differ from the first after %lld steps", different, runs, (long long)o->steps);
  else if (status == HEED_OK && runs > 1)
    printf("the same bits in all %d runs after %lld step%s\n", runs, (long long)o->steps, o->steps > 1 ? "s" : "");
  return status;
}

heed_status heed_command_verify(int argc, char **argv) {
  static const struct argp argp = {options,
                                   parse,
                                   "CONFIG.yaml",
                                   "Checks that ranks and threads do not change the result: trains a few steps at each number of ranks and "
                                   "threads and compares a hash of all parameters.\v"
                                   "Starts mpirun itself.  The runs are made below $TMPDIR (default /tmp) and removed.  Exit code 1 if the "
                                   "parameters differ, 65 for a number of ranks that train.slices does not allow.",
                                   0,
                                   0,
                                   0};
  verify_options o = {.threads = {.items = {1}, .count = 1}, .steps = 20};
  heed_config config = {0};
  heed_verify *verify = NULL;
  heed_status status = heed_parse_options(&argp, argc, argv, &o);
  if (status == HEED_OK)
    status = heed_config_read(&config, o.config, o.settings.items, o.settings.count);
  if (status == HEED_OK)
    status = check(&o, &config);
  heed_verify_spec spec = {o.config, o.settings.items, o.settings.count, &config, o.steps};
  if (status == HEED_OK)
    status = heed_verify_begin(&verify, &spec);
  if (status == HEED_OK)
    status = verify_all(&o, verify);
  heed_verify_end(verify);
  heed_config_free(&config);
  heed_settings_free(&o.settings);
  return status;
}
