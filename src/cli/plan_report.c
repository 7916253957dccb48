#include "cli/plan_report.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/plan_rates.h"

bool plan_row_fits(const plan_row *row) {
  return row->plan.node_bytes <= row->plan.available_bytes;
}

/* ---- JSON ---- */

static json_t *seconds_or_null(bool known, double value) {
  return known ? json_real(value) : json_null();
}

static json_t *memory_of(const heed_run_plan *p) {
  const heed_stepper_memory *m = &p->memory;
  return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "parameters", (json_int_t)m->parameters, "gradients",
                   (json_int_t)m->gradients, "moments", (json_int_t)m->moments, "activations", (json_int_t)m->activations, "neighbours",
                   (json_int_t)m->neighbours, "batches", (json_int_t)p->batches, "communication", (json_int_t)p->communication, "program",
                   (json_int_t)p->program, "snapshot", (json_int_t)p->snapshot);
}

/* What of a forecast stands in the whole object and in each row alike. */
static void add_forecast(json_t *object, const heed_forecast *f, bool timed) {
  json_object_set_new(object, "step_seconds", seconds_or_null(timed, f->step));
  json_object_set_new(object, "tokens_per_second", seconds_or_null(timed, f->tokens_per_second));
  json_object_set_new(object, "share_seconds", seconds_or_null(timed, f->shares));
  json_object_set_new(object, "exchange_seconds", seconds_or_null(timed, f->exchange));
  json_object_set_new(object, "exposed_seconds", seconds_or_null(timed, f->exposed));
  json_object_set_new(object, "network_share", seconds_or_null(timed, f->network_share));
}

static json_t *rows_of(const plan_report *r) {
  json_t *list = json_array();
  for (int i = 0; list && i < r->count; i++) {
    const plan_row *row = &r->rows[i];
    json_t *object = json_pack("{s:i, s:i, s:i, s:I, s:b}", "ranks", row->ranks, "nodes", row->nodes, "ranks_on_node", row->ranks_on_node,
                               "peak_rss_bytes", (json_int_t)row->plan.rank_bytes, "fits", plan_row_fits(row));
    add_forecast(object, &row->forecast, r->timed);
    json_object_set_new(object, "efficiency", seconds_or_null(r->timed, row->efficiency));
    json_array_append_new(list, object);
  }
  return list;
}

static json_t *network_of(const plan_report *r) {
  if (!r->network_from)
    return json_null();
  return json_pack("{s:f, s:f, s:s}", "latency_seconds", r->network.latency, "bandwidth_bytes_per_second", r->network.bandwidth, "from",
                   r->network_from);
}

heed_status plan_report_json(const plan_report *r) {
  const heed_run_plan *p = &r->row.plan;
  const heed_forecast *f = &r->row.forecast;
  json_t *available = p->available_bytes == SIZE_MAX ? json_null() : json_integer((json_int_t)p->available_bytes);
  json_t *object =
      json_pack("{s:i, s:i, s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:I, s:o, s:b, s:I}", "ranks", r->row.ranks, "ranks_on_node",
                r->row.ranks_on_node, "threads", r->threads, "isa", r->isa, "precision", heed_precision_name(r->config->train.precision),
                "parameters", (json_int_t)p->parameters, "slices", (json_int_t)p->slices, "slices_at_once", (json_int_t)p->slices_at_once,
                "peak_rss_bytes", (json_int_t)p->rank_bytes, "memory", memory_of(p), "node_bytes", (json_int_t)p->node_bytes,
                "available_bytes", available, "fits", plan_row_fits(&r->row), "checkpoint_bytes", (json_int_t)p->checkpoint_bytes);
  char *launch = plan_launch(r);
  add_forecast(object, f, r->timed);
  json_object_set_new(object, "tensor", json_integer(r->config->parallel.tensor));
  json_object_set_new(object, "compute_seconds", seconds_or_null(r->timed, f->compute));
  json_object_set_new(object, "optimizer_seconds", seconds_or_null(r->timed, f->optimizer));
  json_object_set_new(object, "checkpoint_seconds", seconds_or_null(r->timed && f->checkpoint > 0, f->checkpoint));
  json_object_set_new(object, "run_seconds", seconds_or_null(r->timed, f->run));
  json_object_set_new(object, "network", network_of(r));
  json_object_set_new(object, "rates", r->timed ? plan_rates_print(&r->rates, r->config) : json_null());
  json_object_set_new(object, "by_ranks", rows_of(r));
  json_object_set_new(object, "launch", json_string(launch ? launch : ""));
  free(launch);
  return heed_print_json(object);
}

/* ---- text ---- */

static double mib(size_t bytes) {
  return (double)bytes / 1048576;
}

static void print_memory(const plan_report *r) {
  const plan_row *row = &r->row;
  const heed_run_plan *p = &row->plan;
  const struct {
    const char *kind, *what;
    size_t bytes;
  } rows[] = {{"parameters", p->memory.parameters > p->memory.common ? ", and a rank's share of what they are rounded from" : "",
               p->memory.parameters},
              {"gradients", "", p->memory.gradients},
              {"moments", ", a rank's share", p->memory.moments},
              {"activations", ", packed weights, and scratch of the threads", p->memory.activations},
              {"neighbours", "' memory that a rank reads where it is; a machine has it once", p->memory.neighbours},
              {"batches", ", read ahead", p->batches},
              {"communication", ", and MPI", p->communication},
              {"program", ", and its libraries", p->program},
              {"snapshot", " of the state, which rank 0 writes while training goes on", p->snapshot}};
  printf("%d rank%s × %d thread%s, %s, %s; %.2f million parameters\n", row->ranks, row->ranks > 1 ? "s" : "", r->threads,
         r->threads > 1 ? "s" : "", r->isa, heed_precision_name(r->config->train.precision), (double)p->parameters / 1e6);
  if (r->config->parallel.tensor > 1)
    printf("each layer is divided among %lld ranks: a rank has up to %.2f million parameters\n", (long long)r->config->parallel.tensor,
           (double)p->part / 1e6);
  printf("a rank takes %lld of its %lld slice%s at once\n\n", (long long)p->slices_at_once, (long long)p->slices, p->slices > 1 ? "s" : "");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (rows[i].what[0] != ' ' || rows[i].bytes > 0) /* a snapshot is not always kept */
      printf("%10.1f MiB  %s%s\n", mib(rows[i].bytes), rows[i].kind, rows[i].what);
  printf("%10.1f MiB  a rank at its peak; pages of the data's files come to it, which the system takes back when memory is short\n\n",
         mib(p->rank_bytes));
  printf("%10.1f MiB  a checkpoint\n", mib(p->checkpoint_bytes));
  printf("%10.1f MiB  the %d rank%s of a machine", mib(p->node_bytes), row->ranks_on_node, row->ranks_on_node > 1 ? "s" : "");
  const char *less = r->config->train.recompute == HEED_RECOMPUTE_BLOCK ? "" : "train.recompute: block, ";
  if (p->available_bytes == SIZE_MAX)
    printf("\n");
  else if (plan_row_fits(row))
    printf("; this one has %.1f MiB available: it fits\n", mib(p->available_bytes));
  else
    printf("; this one has %.1f MiB available: it does NOT fit; use %smore machines, a smaller batch, sequence or model\n",
           mib(p->available_bytes), less);
}

static void print_assumptions(const plan_report *r) {
  if (r->rates_from)
    printf("rates: %s, of %d rank%s × %d thread%s a machine\n", r->rates_from, r->rates.ranks, r->rates.ranks > 1 ? "s" : "",
           r->rates.threads, r->rates.threads > 1 ? "s" : "");
  else
    printf("rates: measured here just now, %d rank%s × %d thread%s at work at once; every machine is taken to be like this one\n",
           r->rates.ranks, r->rates.ranks > 1 ? "s" : "", r->rates.threads, r->rates.threads > 1 ? "s" : "");
  if (r->slowdown > 1)
    printf("processors: the ranks of a machine want more than this one has, and share them: all takes %.1f times as long\n", r->slowdown);
  else if (r->slowdown < 1)
    printf("processors: one a thread, more than this machine has; %.2f of the time with as many threads as here is assumed\n", r->slowdown);
  if (r->network_from)
    printf("network: %.1f µs, %.1f Gbit/s, %s\n", 1e6 * r->network.latency, 8e-9 * r->network.bandwidth, r->network_from);
}

static void print_time(const plan_report *r) {
  const heed_forecast *f = &r->row.forecast;
  printf("\n%10.4f s    forward and backward, of %lld full rows in all\n", f->compute, (long long)r->config->train.batch_sequences);
  printf("%10.4f s    optimizer, a rank's share\n", f->optimizer);
  if (r->config->parallel.tensor > 1)
    printf("%10.4f s    sums of what the ranks of a layer share: %.1f%% of the step\n", f->shares, 100 * f->shares / f->step);
  if (r->row.ranks > r->config->parallel.tensor)
    printf("%10.4f s    exchange that backward does not hide, of %.4f s: %.1f%% of the step\n", f->exposed, f->exchange,
           100 * f->exposed / f->step);
  printf("%10.4f s    a step: %.0f tokens a second\n", f->step, f->tokens_per_second);
  if (f->checkpoint > 0)
    printf("%10.4f s    to save a checkpoint, at %.0f MB/s\n", f->checkpoint, r->checkpoint_rate / 1e6);
  printf("%10.2f days train.steps %lld, with checkpoints%s\n\n", f->run / 86400, (long long)r->config->train.steps,
         heed_forecast_evaluations(r->config) > 0 ? " and evaluations" : ", without evaluations");
  print_assumptions(r);
}

static void print_rows(const plan_report *r) {
  printf("\n%6s %6s  %10s", "ranks", "nodes", "MiB a rank");
  if (r->timed)
    printf("  %10s  %9s  %10s  %7s", "step, s", "tokens/s", "efficiency", "network");
  putchar('\n');
  for (int i = 0; i < r->count; i++) {
    const plan_row *row = &r->rows[i];
    const heed_forecast *f = &row->forecast;
    printf("%6d %6d  %10.1f", row->ranks, row->nodes, mib(row->plan.rank_bytes));
    if (r->timed)
      printf("  %10.4f  %9.0f  %9.1f%%  %6.1f%%", f->step, f->tokens_per_second, 100 * row->efficiency, 100 * f->network_share);
    printf("%s\n", plan_row_fits(row) ? "" : "  does not fit");
  }
}

heed_status plan_report_text(const plan_report *r) {
  char *launch = plan_launch(r);
  if (!launch)
    return heed_error(HEED_FAILED, "out of memory for the plan's last line");
  print_memory(r);
  if (r->timed)
    print_time(r);
  print_rows(r);
  printf("\n%s\n", launch);
  free(launch);
  return HEED_OK;
}
