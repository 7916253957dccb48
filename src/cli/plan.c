/* heed plan: what a training run will take of the machines it is launched on, and how long. */
#include <argp.h>
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/plan_rates.h"
#include "cli/plan_report.h"
#include "comm/world.h"
#include "heed/config.h"
#include "heed/log.h"
#include "measure/disk.h"
#include "models/level.h"

enum { MOST_RANKS = 65536 };

/* Share of its processors' time that a step has at least where nothing else runs; the rest is spent waiting for each other. */
static const double QUIET = 0.8;

typedef struct plan_options {
  const char *config, *rates; /* rates NULL: measured if possible */
  heed_settings settings;
  int64_t ranks, nodes, threads; /* ranks 0: 1, and a table of all; threads 0: as training would choose */
  heed_network network;          /* bandwidth 0: not given */
  double checkpoint_rate;        /* bytes a second; 0: measured */
  bool json, no_time;
} plan_options;

enum { NETWORK = 256, RATES, NO_TIME, CHECKPOINT_RATE }; /* options without a letter */

static const struct argp_option options[] = {
    {"ranks", 'n', "P", 0, "ranks of the job (default: 1)", 0},
    {"nodes", 'N', "N", 0, "machines that they are spread over evenly (default: 1)", 0},
    {"threads", 't', "T", 0,
     "threads of a rank, each with a processor of its own (default: OMP_NUM_THREADS, else this machine's processors divided among its "
     "ranks)",
     0},
    {"network", NETWORK, "LATENCY_US,GBIT_PER_S", 0,
     "latency in microseconds and bandwidth in Gbit/s between ranks, as `heed bench allreduce` prints them (default: on one machine what "
     "its "
     "memory was measured to do; between machines 20,10)",
     0},
    {"rates", RATES, "FILE|measure", 0,
     "how fast a machine trains this model: from what `heed plan --json` printed there, or measured here and now (the default)", 0},
    {"no-time", NO_TIME, NULL, 0, "measure nothing and leave out all times", 0},
    {"checkpoint-rate", CHECKPOINT_RATE, "MB/S", 0,
     "megabytes a second that a checkpoint is saved with (default: measured with a file beside the run's folder)", 0},
    {"json", 'j', NULL, 0, "print JSON", 0},
    {"set", 's', "KEY=VALUE", 0, "replace a value of the configuration; as often as wanted", 0},
    {0}};

/* A number above 0 (or from 0 on) at the beginning of `text`.  Returns what follows it, NULL when there is none. */
static const char *read_number(const char *text, bool may_be_0, double *number) {
  char *end;
  *number = strtod(text, &end);
  return end > text && isfinite(*number) && (*number > 0 || (may_be_0 && *number == 0)) ? end : NULL;
}

static error_t parse_network(struct argp_state *state, const char *value, heed_network *network) {
  double latency = 0, gigabits = 0;
  const char *rest = read_number(value, true, &latency);
  rest = rest && *rest == ',' ? read_number(rest + 1, false, &gigabits) : NULL;
  if (!rest || *rest)
    argp_error(state, "--network takes a latency in microseconds and a bandwidth in Gbit/s, for example 20,10, not '%s'", value);
  *network = (heed_network){latency * 1e-6, gigabits * 1e9 / 8};
  return 0;
}

static error_t parse_checkpoint_rate(struct argp_state *state, const char *value, double *rate) {
  const char *rest = read_number(value, false, rate);
  if (!rest || *rest)
    argp_error(state, "--checkpoint-rate takes megabytes a second, for example 200, not '%s'", value);
  *rate *= 1e6;
  return 0;
}

static void check(struct argp_state *state, plan_options *o) {
  int64_t ranks = o->ranks > 0 ? o->ranks : 1;
  if (!o->config)
    argp_error(state, "a configuration is needed, for example configs/bert-base.yaml");
  if (o->ranks > MOST_RANKS)
    argp_error(state, "--ranks takes at most %d", MOST_RANKS);
  if (o->nodes > ranks)
    argp_error(state, "--nodes %lld is more than --ranks %lld", (long long)o->nodes, (long long)ranks);
  if (o->threads > HEED_MOST_THREADS)
    argp_error(state, "--threads takes at most %d", HEED_MOST_THREADS);
  if (o->no_time && (o->rates || o->network.bandwidth > 0 || o->checkpoint_rate > 0))
    argp_error(state, "--no-time leaves out all times: --network, --rates and --checkpoint-rate have nothing to do then");
}

static error_t parse(int key, char *value, struct argp_state *state) {
  plan_options *o = state->input;
  switch (key) {
  case 'n':
    return heed_option_count(state, "--ranks", value, &o->ranks);
  case 'N':
    return heed_option_count(state, "--nodes", value, &o->nodes);
  case 't':
    return heed_option_count(state, "--threads", value, &o->threads);
  case NETWORK:
    return parse_network(state, value, &o->network);
  case RATES:
    o->rates = value;
    return 0;
  case NO_TIME:
    o->no_time = true;
    return 0;
  case CHECKPOINT_RATE:
    return parse_checkpoint_rate(state, value, &o->checkpoint_rate);
  case 'j':
    o->json = true;
    return 0;
  case 's':
    return heed_option_set(state, value, &o->settings);
  case ARGP_KEY_ARG:
    return heed_option_argument(state, value, &o->config);
  case ARGP_KEY_END:
    check(state, o);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

/* What is known of the machines. */
typedef struct machines {
  const heed_kernels *kernels;
  int processors; /* of this one */
  int ranks;      /* of one, at most */
} machines;

/* As many threads as a rank would run; rates of another machine bring theirs. */
static void set_threads(const plan_options *o, const plan_report *report, const machines *m) {
  const char *set = getenv("OMP_NUM_THREADS");
  if (o->threads > 0) {
    omp_set_num_threads((int)o->threads);
    return;
  }
  if (report->rates_from) {
    omp_set_num_threads(report->rates.threads);
    return;
  }
  if (set && set[0])
    return;
  omp_set_num_threads(m->processors / m->ranks > 1 ? m->processors / m->ranks : 1);
}

/* Memory of so many ranks, on as few machines as hold them. */
static heed_status plan_ranks(plan_row *row, const plan_options *o, const heed_config *config, const machines *m, int ranks) {
  row->ranks = ranks;
  row->ranks_on_node = ranks < m->ranks ? ranks : m->ranks;
  row->nodes = ranks == o->ranks ? (int)o->nodes : (ranks + m->ranks - 1) / m->ranks;
  const heed_foresight job = heed_world_foresee(ranks, row->ranks_on_node, (int)config->parallel.tensor);
  const heed_run_plan_spec spec = {.config = config,
                                   .kernels = m->kernels,
                                   .ranks = ranks,
                                   .ranks_on_node = row->ranks_on_node,
                                   .near = job.near,
                                   .communication = job.bytes};
  return heed_run_plan_make(&row->plan, &spec);
}

static heed_status measure_rates(plan_report *report, const machines *m) {
  const int threads = report->threads < m->processors ? report->threads : m->processors, fitting = m->processors / threads;
  const heed_run_plan *plan = &report->row.plan;
  const heed_rates_spec spec = {.config = report->config,
                                .kernels = m->kernels,
                                .threads = threads,
                                .ranks = report->row.ranks_on_node < fitting ? report->row.ranks_on_node : fitting,
                                .slices = plan->slices,
                                .slices_at_once = plan->slices_at_once};
  heed_info("measuring for a few seconds how fast this machine trains this model (--no-time leaves it out)");
  omp_set_num_threads(threads);
  heed_status status = heed_rates_measure(&report->rates, &spec);
  omp_set_num_threads(report->threads);
  if (status == HEED_OK && report->rates.got < QUIET)
    heed_info("other programs ran here meanwhile, and the steps that were timed had %.0f%% of their processors' time: on a quiet machine "
              "steps are faster than is said",
              100 * report->rates.got);
  return status;
}

/* Rates of work and of the disk; what cannot be measured is left out, but for what was asked for by name. */
static heed_status find_rates(plan_report *report, const plan_options *o, const machines *m) {
  if (o->no_time)
    return HEED_OK;
  heed_status status = report->rates_from ? HEED_OK : measure_rates(report, m);
  if (status != HEED_OK && o->rates)
    return status;
  if (status != HEED_OK)
    heed_warn("no times, since they could not be measured: %s", heed_error_text());
  report->timed = status == HEED_OK;
  report->checkpoint_rate = o->checkpoint_rate;
  if (report->timed && report->checkpoint_rate <= 0 &&
      heed_disk_measure(&report->checkpoint_rate, report->config->run.output, report->row.plan.checkpoint_bytes) != HEED_OK) {
    report->checkpoint_rate = 0;
    heed_warn("%s; --checkpoint-rate tells it", heed_error_text());
  }
  return HEED_OK;
}

/* How much longer a rank's work takes than it was measured to: --threads promises a processor for each; else the ranks share those of a
 * machine like this one. */
static double slowdown_of(const plan_row *row, const plan_report *report, const plan_options *o, const machines *m) {
  if (report->rates_from || o->threads > 0)
    return (double)report->rates.threads / report->threads;
  const double wanted = (double)row->ranks_on_node * report->rates.threads;
  return wanted > m->processors ? wanted / m->processors : 1;
}

/* Of ranks of this machine, when so many of them are at work. */
static heed_network memory_of(const plan_report *report, double slowdown) {
  heed_network memory = heed_forecast_shared_memory(&report->rates);
  memory.bandwidth /= slowdown > 1 ? slowdown : 1;
  return memory;
}

static heed_network network_of(const plan_row *row, const plan_report *report, const plan_options *o, double slowdown, const char **from) {
  static const heed_network assumed = {20e-6, 10e9 / 8};
  if (o->network.bandwidth > 0) {
    *from = "given";
    return o->network;
  }
  if (row->nodes > 1) {
    *from = "assumed";
    return assumed;
  }
  *from = "measured";
  return memory_of(report, slowdown);
}

static void forecast(plan_row *row, plan_report *report, const plan_options *o, const machines *m) {
  const char *from;
  const double slowdown = slowdown_of(row, report, o, m);
  const heed_network network = network_of(row, report, o, slowdown, &from);
  const bool together = row->ranks_on_node % report->config->parallel.tensor == 0; /* the ranks that share a layer are neighbours */
  const heed_forecast_spec spec = {report->config, report->rates,          network, together ? memory_of(report, slowdown) : network,
                                   slowdown,       report->checkpoint_rate};
  row->forecast = heed_forecast_make(&spec, &row->plan, row->ranks);
  if (row != &report->row)
    return;
  report->slowdown = slowdown;
  report->network = network;
  report->network_from = row->ranks > 1 ? from : NULL;
}

/* Memory of all allowed numbers of ranks up to --ranks, or without it up to the slices. */
static heed_status plan_rows(plan_report *report, const plan_options *o, const machines *m) {
  enum { MOST_ROWS = 64 }; /* powers of two */
  const int64_t slices = report->config->train.slices, parts = report->config->parallel.tensor,
                most = (o->ranks > 0 ? o->ranks : MOST_RANKS) / parts;
  report->rows = calloc(MOST_ROWS, sizeof *report->rows);
  if (!report->rows)
    return heed_error(HEED_FAILED, "out of memory for the plan's table");
  for (int data = heed_world_next_ranks(slices, 0); data > 0 && data <= most; data = heed_world_next_ranks(slices, data)) {
    const int ranks = data * (int)parts;
    plan_row *row = &report->rows[report->count++];
    if (ranks == report->row.ranks)
      *row = report->row;
    else
      HEED_TRY(plan_ranks(row, o, report->config, m, ranks));
  }
  return HEED_OK;
}

static void forecast_all(plan_report *report, const plan_options *o, const machines *m) {
  forecast(&report->row, report, o, m);
  for (int i = 0; i < report->count; i++) {
    plan_row *row = &report->rows[i];
    forecast(row, report, o, m);
    row->efficiency = report->rows[0].ranks * report->rows[0].forecast.step / (row->ranks * row->forecast.step);
  }
}

static heed_status make(plan_report *report, const plan_options *o) {
  const int64_t parts = report->config->parallel.tensor;
  const int ranks = o->ranks > 0 ? (int)o->ranks : (int)parts;
  machines m = {.ranks = (ranks + (int)o->nodes - 1) / (int)o->nodes};
  HEED_TRY(heed_world_check_ranks(report->config->train.slices, parts, ranks, "--ranks"));
  if (o->rates && strcmp(o->rates, "measure") != 0) {
    HEED_TRY(plan_rates_read(&report->rates, o->rates, report->config));
    report->rates_from = o->rates;
  }
  HEED_TRY(heed_world_processors(heed_alone(), &m.processors));
  set_threads(o, report, &m);
  report->threads = omp_get_max_threads();
  HEED_TRY(heed_level_agree(&m.kernels, heed_alone()));
  report->isa = m.kernels->isa;
  HEED_TRY(plan_ranks(&report->row, o, report->config, &m, ranks));
  HEED_TRY(plan_rows(report, o, &m));
  HEED_TRY(find_rates(report, o, &m));
  if (report->timed)
    forecast_all(report, o, &m);
  return HEED_OK;
}

static heed_status run(const plan_options *o, const heed_config *config) {
  plan_report report = {.config_path = o->config, .settings = &o->settings, .config = config};
  heed_status status = make(&report, o);
  if (status == HEED_OK)
    status = o->json ? plan_report_json(&report) : plan_report_text(&report);
  free(report.rows);
  return status;
}

heed_status heed_command_plan(int argc, char **argv) {
  static const struct argp argp = {
      options,
      parse,
      "CONFIG.yaml",
      "Tells before a launch what a training run will take of each rank's memory, how long it will take, and how to launch it.\v"
      "Memory is worked out by the code that training plans with; no data is opened.  The peak is of full rows; an index of the training "
      "samples comes to it, 16 bytes a sample or 32 a pair.\n\n"
      "Time is of full rows too.  Training steps of this model, of few layers and rows where it is large, are timed here for a few seconds "
      "with as many ranks at once as a machine gets, and scaled to the layers, rows and ranks of the run; an exchange of n bytes between P "
      "ranks takes 2·log2(P)·latency + 2(P − 1)/P·n/bandwidth, of which what goes on during backward is hidden.  The table is of all "
      "numbers "
      "of ranks that train.slices allows, up to --ranks if it is given, with as many on a machine.\n\n"
      "JSON: peak_rss_bytes, of a rank; memory {parameters, gradients, moments, activations, neighbours, batches, communication, program, "
      "snapshot}, "
      "its parts; "
      "node_bytes, of the ranks of a machine; available_bytes, on this one (null: unknown), and whether it fits; checkpoint_bytes; "
      "parameters, how many; slices of a rank and slices_at_once; ranks, ranks_on_node, threads, isa, precision.\n"
      "Times, null where there are none: step_seconds and its parts compute_seconds, share_seconds, optimizer_seconds and exposed_seconds "
      "(of "
      "exchange_seconds what is not hidden; network_share of the step); tokens_per_second; checkpoint_seconds; run_seconds, of "
      "train.steps; "
      "network {latency_seconds, bandwidth_bytes_per_second, from}; rates, which --rates reads; by_ranks, the table; launch, the command.",
      0,
      0,
      0};
  plan_options o = {.nodes = 1};
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
