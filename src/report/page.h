/** report.html: a run on one page that needs nothing else.  Curves, attention entropies, samples, facts, configuration.
 *
 *  report_page.c makes the page of its parts: report_chart.c the curves, report_entropy.c the map of heads, report_samples.c the texts.
 *  page.css and page.js become part of the program when it is built; without JavaScript the page shows all but a step's values. */
#ifndef HEED_REPORT_PAGE_H
#define HEED_REPORT_PAGE_H

#include <stdint.h>

#include "report/metrics.h"
#include "report/samples.h"

typedef struct heed_report_page {
  const char *name, *config_text;
  int64_t steps, parameters;
  int ranks, threads;
  const heed_metrics_history *history;
  const heed_samples *samples; /**< NULL: none */
} heed_report_page;

/** Writes the page; the file is replaced at once.  It stays below 1 MB however long the run, by thinning.  Errors: HEED_IO. */
heed_status heed_report_page_write(const char *path, const heed_report_page *page);

#endif
