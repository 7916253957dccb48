/** What people look at while a run goes on and afterwards: report.html, loss.svg, TensorBoard's events, and the samples they show.
 *
 *  None of it is worth a run: what fails is warned of, and training goes on.  Rank 0 alone has a report; where it is NULL, nothing is done.
 */
#ifndef HEED_REPORT_H
#define HEED_REPORT_H

#include <stdint.h>

#include "report/metrics.h"
#include "report/samples.h"

typedef struct heed_report heed_report;

/** Texts and metrics belong to the caller and stay until the report is closed. */
typedef struct heed_report_spec {
  const char *folder, *name, *config_text; /**< the run folder, run.name, the resolved configuration */
  int64_t step, steps;                     /**< where the run is, and where it ends */
  int64_t parameters;
  int ranks, threads;          /**< threads a rank */
  const heed_metrics *metrics; /**< opened at `step` already */
} heed_report_spec;

/** Opens the run's samples, cut back to spec->step, and its events.  NULL when memory is short. */
heed_report *heed_report_open(const heed_report_spec *spec);
void heed_report_close(heed_report *report);

/** Adds an evaluation's samples; the page shows them when it is written next. */
void heed_report_samples(heed_report *report, int64_t step, const heed_sample *samples, int64_t count);

/** Passes new lines of the metrics on to the events: after each logged step. */
void heed_report_follow(heed_report *report);

/** Writes all there is anew: after each evaluation and at the end. */
void heed_report_write(heed_report *report);

#endif
