/* heed plan: what a training run will take of the machines it is launched on. */
#include <argp.h>
#include <jansson.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "comm/world.h"
#include "heed/config.h"
#include "measure/plan.h"
#include "models/level.h"

enum { MOST_RANKS = 65536 };

typedef struct plan_options {
  const char *config;
  heed_settings settings;
  int64_t ranks, nodes, threads; /* threads 0: as training would choose */
  bool json;
} plan_options;

static const struct argp_option options[] = {
    {"ranks", 'n', "P", 0, "ranks of the job (default: 1)", 0},
    {"nodes", 'N', "N", 0, "machines that they are spread over evenly (default: 1)", 0},
    {"threads", 't', "T", 0, "threads of a rank (default: OMP_NUM_THREADS, else this machine's processors divided among its ranks)", 0},
    {"json", 'j', NULL, 0, "print JSON", 0},
    {"set", 's', "KEY=VALUE", 0, "replace a value of the configuration; as often as wanted", 0},
    {0}};

static error_t parse(int key, char *value, struct argp_state *state) {
  plan_options *o = state->input;
  switch (key) {
  case 'n':
    return heed_option_count(state, "--ranks", value, &o->ranks);
  case 'N':
    return heed_option_count(state, "--nodes", value, &o->nodes);
  case 't':
    return heed_option_count(state, "--threads", value, &o->threads);
  case 'j':
    o->json = true;
    return 0;
  case 's':
    return heed_option_set(state, value, &o->settings);
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->config);
  case ARGP_KEY_END:
    if (!o->config)
      argp_error(state, "a configuration is needed, for example configs/bert-base.yaml");
    if (o->ranks > MOST_RANKS)
      argp_error(state, "--ranks takes at most %d", MOST_RANKS);
    if (o->nodes > o->ranks)
      argp_error(state, "--nodes %lld is more than --ranks %lld", (long long)o->nodes, (long long)o->ranks);
    if (o->threads > HEED_MOST_THREADS)
      argp_error(state, "--threads takes at most %d", HEED_MOST_THREADS);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

static int64_t ranks_on_node(const plan_options *o) {
  return (o->ranks + o->nodes - 1) / o->nodes;
}

/* As many threads as a rank would run. */
static heed_status set_threads(const plan_options *o) {
  const char *set = getenv("OMP_NUM_THREADS");
  int processors;
  if (o->threads > 0) {
    omp_set_num_threads((int)o->threads);
    return HEED_OK;
  }
  if (set && set[0])
    return HEED_OK;
  HEED_TRY(heed_world_processors(heed_alone(), &processors));
  int64_t share = processors / ranks_on_node(o);
  omp_set_num_threads(share > 1 ? (int)share : 1);
  return HEED_OK;
}

static bool fits(const heed_run_plan *p) {
  return p->node_bytes <= p->available_bytes;
}

static heed_status print_json(const plan_options *o, const heed_run_plan_spec *spec, const heed_run_plan *p) {
  const heed_stepper_memory *m = &p->memory;
  json_t *memory =
      json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "parameters", (json_int_t)m->parameters, "gradients", (json_int_t)m->gradients,
                "moments", (json_int_t)m->moments, "activations", (json_int_t)m->activations, "neighbours", (json_int_t)m->neighbours,
                "batches", (json_int_t)p->batches, "communication", (json_int_t)p->communication, "program", (json_int_t)p->program);
  json_t *available = p->available_bytes == SIZE_MAX ? json_null() : json_integer((json_int_t)p->available_bytes);
  return heed_print_json(json_pack(
      "{s:I, s:I, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:b, s:I}", "ranks", (json_int_t)o->ranks, "ranks_on_node",
      (json_int_t)ranks_on_node(o), "threads", omp_get_max_threads(), "isa", spec->kernels->isa, "precision",
      heed_precision_name(spec->config->train.precision), "parameters", (json_int_t)p->parameters, "slices", (json_int_t)p->slices,
      "slices_at_once", (json_int_t)p->slices_at_once, "peak_rss_bytes", (json_int_t)p->rank_bytes, "memory", memory, "node_bytes",
      (json_int_t)p->node_bytes, "available_bytes", available, "fits", fits(p), "checkpoint_bytes", (json_int_t)p->checkpoint_bytes));
}

static double mib(size_t bytes) {
  return (double)bytes / 1048576;
}

static void print_table(const plan_options *o, const heed_run_plan_spec *spec, const heed_run_plan *p) {
  const struct {
    const char *kind, *what;
    size_t bytes;
  } rows[] = {{"parameters", "", p->memory.parameters},
              {"gradients", "", p->memory.gradients},
              {"moments", ", a rank's share", p->memory.moments},
              {"activations", ", packed weights, and scratch of the threads", p->memory.activations},
              {"neighbours", "' memory that a rank reads where it is; a machine has it once", p->memory.neighbours},
              {"batches", ", read ahead", p->batches},
              {"communication", ", and MPI", p->communication},
              {"program", ", and its libraries", p->program}};
  int threads = omp_get_max_threads();
  printf("%lld rank%s × %d thread%s, %s, %s; %.2f million parameters\n", (long long)o->ranks, o->ranks > 1 ? "s" : "", threads,
         threads > 1 ? "s" : "", spec->kernels->isa, heed_precision_name(spec->config->train.precision), (double)p->parameters / 1e6);
  printf("a rank takes %lld of its %lld slice%s at once\n\n", (long long)p->slices_at_once, (long long)p->slices, p->slices > 1 ? "s" : "");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    printf("%10.1f MiB  %s%s\n", mib(rows[i].bytes), rows[i].kind, rows[i].what);
  printf("%10.1f MiB  a rank at its peak; pages of the data's files come to it, which the system takes back when memory is short\n\n",
         mib(p->rank_bytes));
  printf("%10.1f MiB  a checkpoint\n", mib(p->checkpoint_bytes));
  printf("%10.1f MiB  the %lld rank%s of a machine", mib(p->node_bytes), (long long)ranks_on_node(o), ranks_on_node(o) > 1 ? "s" : "");
  const char *less = spec->config->train.recompute == HEED_RECOMPUTE_BLOCK ? "" : "train.recompute: block, ";
  if (p->available_bytes == SIZE_MAX)
    printf("\n");
  else if (fits(p))
    printf("; this one has %.1f MiB available: it fits\n", mib(p->available_bytes));
  else
    printf("; this one has %.1f MiB available: it does NOT fit; use %smore machines, a smaller batch, sequence or model\n",
           mib(p->available_bytes), less);
}

static heed_status run(const plan_options *o, const heed_config *config) {
  heed_run_plan plan;
  heed_run_plan_spec spec = {.config = config,
                             .ranks = (int)o->ranks,
                             .ranks_on_node = (int)ranks_on_node(o),
                             .communication = heed_world_buffer_bytes((int)o->ranks, (int)ranks_on_node(o)) +
                                              heed_world_mpi_bytes((int)o->ranks, (int)ranks_on_node(o))};
  HEED_TRY(heed_world_check_ranks(config->train.slices, spec.ranks));
  HEED_TRY(set_threads(o));
  HEED_TRY(heed_level_agree(&spec.kernels, heed_alone()));
  HEED_TRY(heed_run_plan_make(&plan, &spec));
  if (o->json)
    return print_json(o, &spec, &plan);
  print_table(o, &spec, &plan);
  return HEED_OK;
}

heed_status heed_command_plan(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "CONFIG.yaml",
      "Tells before a launch what a training run will take of each rank's memory.\v"
      "Worked out by the code that training plans with; no data is opened and nothing is trained.  The peak is of full rows; an index of "
      "the training samples comes to it, 16 bytes a sample or 32 a pair.\n\n"
      "JSON: peak_rss_bytes, of a rank; memory {parameters, gradients, moments, activations, neighbours, batches, communication, program}, "
      "its parts; "
      "node_bytes, of the ranks of a machine; available_bytes, on this one (null: unknown), and whether it fits; checkpoint_bytes; "
      "parameters, how many; slices of a rank and slices_at_once; ranks, ranks_on_node, threads, isa, precision.",
      0,
      0,
      0};
  plan_options o = {.ranks = 1, .nodes = 1};
  heed_config config = {0};
  heed_status status = heed_parse_options(&argp, argc, argv, &o);
  if (status == HEED_OK)
    status = heed_config_read(&config, o.config, o.settings.items, o.settings.count);
  if (status == HEED_OK)
    status = run(&o, &config);
  heed_config_free(&config);
  heed_settings_free(&o.settings);
  return status;
}
