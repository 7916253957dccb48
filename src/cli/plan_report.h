/** What `heed plan` says: text, or JSON. */
#ifndef HEED_CLI_PLAN_REPORT_H
#define HEED_CLI_PLAN_REPORT_H

#include <jansson.h>
#include <stdbool.h>

#include "cli/options.h"
#include "measure/forecast.h"
#include "measure/plan.h"

/** One number of ranks. */
typedef struct plan_row {
  int ranks, nodes, ranks_on_node;
  heed_run_plan plan;
  heed_forecast forecast; /**< where the report is timed */
  double efficiency;      /**< time of one rank / (ranks · time) */
} plan_row;

typedef struct plan_report {
  const char *config_path;
  const heed_settings *settings;
  const heed_config *config;
  const char *isa;
  int threads;  /**< of a rank */
  plan_row row; /**< what was asked for */
  plan_row *rows;
  int count;
  bool timed;
  heed_rates rates;
  heed_network network;     /**< of the ranks asked for */
  const char *network_from; /**< given, measured, assumed; NULL: one rank exchanges nothing */
  const char *rates_from;   /**< a file; NULL: measured here */
  double slowdown;          /**< of the ranks asked for (forecast.h) */
  double checkpoint_rate;   /**< bytes a second, 0: unknown */
} plan_report;

/** Whether the ranks of a machine fit the memory that this one has available. */
bool plan_row_fits(const plan_row *row);

/** The command that launches it under Slurm; allocated, NULL when memory is short. */
char *plan_launch(const plan_report *report);

heed_status plan_report_json(const plan_report *report);
heed_status plan_report_text(const plan_report *report);

#endif
