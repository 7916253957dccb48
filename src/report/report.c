#include "report/report.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "heed/log.h"
#include "report/events.h"
#include "report/page.h"
#include "report/plot.h"

struct heed_report {
  heed_report_spec spec;
  heed_samples *samples; /* NULL when they could not be opened */
  heed_events *events;   /* likewise */
};

static void warn_of(heed_status status) {
  if (status != HEED_OK)
    heed_warn("%s (training goes on)", heed_error_text());
}

static void path_of(const heed_report *r, const char *name, char path[PATH_MAX]) {
  snprintf(path, PATH_MAX, "%s/%s", r->spec.folder, name);
}

heed_report *heed_report_open(const heed_report_spec *spec) {
  char samples[PATH_MAX];
  heed_report *r = calloc(1, sizeof *r);
  if (!r) {
    warn_of(heed_error(HEED_FAILED, "out of memory for the run's page"));
    return NULL;
  }
  r->spec = *spec;
  path_of(r, "samples.jsonl", samples);
  warn_of(heed_samples_open(&r->samples, samples, spec->step));
  warn_of(heed_events_open(&r->events, spec->folder, heed_metrics_so_far(spec->metrics)));
  return r;
}

void heed_report_close(heed_report *r) {
  if (!r)
    return;
  heed_samples_close(r->samples);
  heed_events_close(r->events);
  free(r);
}

void heed_report_samples(heed_report *r, int64_t step, const heed_sample *samples, int64_t count) {
  if (r && r->samples)
    warn_of(heed_samples_add(r->samples, step, samples, count));
}

void heed_report_follow(heed_report *r) {
  if (r && r->events)
    warn_of(heed_events_follow(r->events, heed_metrics_so_far(r->spec.metrics)));
}

void heed_report_write(heed_report *r) {
  char plot[PATH_MAX], page[PATH_MAX];
  if (!r)
    return;
  heed_report_follow(r);
  path_of(r, "loss.svg", plot);
  path_of(r, "report.html", page);
  warn_of(heed_plot_write(plot, heed_metrics_so_far(r->spec.metrics), r->spec.name));
  heed_report_page about = {.name = r->spec.name,
                            .config_text = r->spec.config_text,
                            .steps = r->spec.steps,
                            .parameters = r->spec.parameters,
                            .ranks = r->spec.ranks,
                            .threads = r->spec.threads,
                            .history = heed_metrics_so_far(r->spec.metrics),
                            .samples = r->samples};
  warn_of(heed_report_page_write(page, &about));
}
