#include "report/page.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "report/chart.h"
#include "report/parts.h"

enum { MOST_POINTS = 600, MOST_POINTS_WIDE = 1200, MOST_OF_A_CONFIGURATION = 20000 };

extern const char heed_report_style[], heed_report_script[]; /* page.css, page.js */

/* Where the run is. */
typedef struct position {
  int64_t step, tokens, best_step;
  double seconds, best_loss;
} position;

static position look(const heed_metrics_history *history) {
  position p = {.best_loss = NAN};
  heed_training_time clock = {0};
  for (int64_t i = 0; i < history->count; i++) {
    const heed_metrics_line *line = &history->lines[i];
    p.step = line->step > p.step ? line->step : p.step;
    p.tokens += line->tokens;
    p.seconds = heed_training_time_at(&clock, line);
    if (line->evaluation && isfinite(line->validation_loss) && !(line->validation_loss >= p.best_loss)) {
      p.best_loss = line->validation_loss;
      p.best_step = line->step;
    }
  }
  return p;
}

static void print_fact(FILE *out, const char *name, const char *value, const char *note) {
  fprintf(out, "<div><dt>%s</dt><dd>%s", name, value);
  if (*note)
    fprintf(out, " <small>%s</small>", note);
  fputs("</dd></div>\n", out);
}

static void print_seconds(char text[64], double seconds) {
  long long s = llround(fmin(seconds, 1e12));
  if (s >= 86400)
    snprintf(text, 64, "%lld d %lld h", s / 86400, s / 3600 % 24);
  else if (s >= 3600)
    snprintf(text, 64, "%lld h %lld min", s / 3600, s / 60 % 60);
  else if (s >= 60)
    snprintf(text, 64, "%lld min %lld s", s / 60, s % 60);
  else
    snprintf(text, 64, "%lld s", s);
}

static void print_facts(FILE *out, const heed_report_page *page) {
  position p = look(page->history);
  char text[64], note[96], value[HEED_CHART_VALUE];
  fputs("<dl class='facts'>\n", out);
  heed_print_count(text, (double)page->steps);
  snprintf(note, sizeof note, "of %s", text);
  print_fact(out, "Step", heed_print_count(text, (double)p.step), note);
  print_fact(out, "Tokens seen", heed_print_count(text, (double)p.tokens), "");
  print_seconds(text, p.seconds);
  print_fact(out, "Training time", text, "");
  if (isfinite(p.best_loss)) {
    heed_print_count(text, (double)p.best_step);
    snprintf(note, sizeof note, "perplexity %.4g, step %s", exp(p.best_loss), text);
    print_fact(out, "Best validation loss", heed_chart_value(value, p.best_loss, 3, ""), note);
  }
  print_fact(out, "Parameters", heed_print_count(text, (double)page->parameters), "");
  snprintf(text, sizeof text, "%d × %d", page->ranks, page->threads);
  print_fact(out, "Ranks × threads", text, "");
  fprintf(out, "</dl>\n<progress max='%lld' value='%lld' aria-label='steps made'></progress>\n",
          (long long)(page->steps > 0 ? page->steps : 1), (long long)p.step);
}

/* A chart of one number of the metrics: of logged steps thin as logged and bold smoothed, of evaluations with dots. */
typedef struct chart_row {
  heed_chart chart;
  size_t field;
  bool evaluations, smooth;
  double scale;
  const char *kind, *name;
} chart_row;

/* Takes a curve, its smoothed one where it is asked for, and thins both. */
static heed_status take(const heed_report_page *page, const chart_row *row, int64_t most, heed_chart_series *series, int *count,
                        double *usual) {
  heed_curve all = {0}, smooth = {0};
  heed_status status = heed_curve_take(&all, page->history, row->evaluations, row->field, row->scale);
  if (status == HEED_OK && row->smooth) {
    *usual = heed_curve_usual(&all);
    status = heed_curve_smooth(&smooth, &all);
    series[*count] = (heed_chart_series){.kind = "raw", .name = "as logged", .quiet = true};
    if (status == HEED_OK)
      status = heed_curve_thin(&series[(*count)++].curve, &all, most);
  }
  series[*count] = (heed_chart_series){.kind = row->kind, .name = row->name, .dots = row->evaluations};
  if (status == HEED_OK)
    status = heed_curve_thin(&series[(*count)++].curve, row->smooth ? &smooth : &all, most);
  heed_curve_free(&all);
  heed_curve_free(&smooth);
  return status;
}

/* Draws a row, and with it `second`, where that is not NULL; nothing where there are no numbers yet. */
static heed_status print_row(FILE *out, const heed_report_page *page, const chart_row *row, const chart_row *second) {
  heed_chart_series series[4] = {{0}};
  heed_chart chart = row->chart;
  char power[32] = "", unit[48], note[64];
  int64_t most = chart.wide ? MOST_POINTS_WIDE : MOST_POINTS;
  heed_status status = take(page, row, most, series, &chart.count, &chart.usual);
  if (status == HEED_OK && second)
    status = take(page, second, most, series, &chart.count, &chart.usual);
  if (row->field == offsetof(heed_metrics_line, learning_rate) && status == HEED_OK)
    heed_curve_scale(&series[0].curve, power);
  if (*power) {
    snprintf(unit, sizeof unit, " · %s", power);
    snprintf(note, sizeof note, "× %s", power);
    chart.unit = unit;
    chart.note = note;
  }
  bool any = false;
  for (int i = 0; i < chart.count; i++)
    any = any || isfinite(heed_curve_newest(&series[i].curve));
  chart.series = series;
  if (status == HEED_OK && any)
    heed_chart_print(out, &chart);
  for (int i = 0; i < 4; i++)
    heed_curve_free(&series[i].curve);
  return status;
}

static heed_status print_charts(FILE *out, const heed_report_page *page, double last_step) {
  static const chart_row loss = {.chart = {.id = "loss", .title = "Loss", .note = "nats a target", .digits = 3, .wide = true},
                                 .field = offsetof(heed_metrics_line, loss),
                                 .scale = 1,
                                 .smooth = true,
                                 .kind = "train",
                                 .name = "training, smoothed"},
                         validation = {.field = offsetof(heed_metrics_line, validation_loss),
                                       .scale = 1,
                                       .evaluations = true,
                                       .kind = "check",
                                       .name = "validation"};
  static const chart_row rows[] = {
      {.chart = {.id = "accuracy", .title = "Validation accuracy", .digits = 2, .unit = "%", .marks = "%", .from_zero = true},
       .field = offsetof(heed_metrics_line, validation_accuracy),
       .scale = 100,
       .evaluations = true,
       .kind = "share",
       .name = "of targets"},
      {.chart = {.id = "bits", .title = "Bits per byte", .digits = 3},
       .field = offsetof(heed_metrics_line, bits_per_byte),
       .scale = 1,
       .evaluations = true,
       .kind = "check",
       .name = "validation"},
      {.chart = {.id = "rate", .title = "Learning rate", .digits = 3, .from_zero = true},
       .field = offsetof(heed_metrics_line, learning_rate),
       .scale = 1,
       .kind = "rate",
       .name = ""},
      {.chart = {.id = "speed", .title = "Tokens per second", .from_zero = true},
       .field = offsetof(heed_metrics_line, tokens_per_second),
       .scale = 1,
       .smooth = true,
       .kind = "train",
       .name = "smoothed"},
      {.chart = {.id = "gradient", .title = "Gradient norm", .note = "before clipping", .digits = 3, .from_zero = true},
       .field = offsetof(heed_metrics_line, gradient_norm),
       .scale = 1,
       .smooth = true,
       .kind = "train",
       .name = "smoothed"},
  };
  fputs("<div class='charts'>\n", out);
  for (int i = -1; i < (int)(sizeof rows / sizeof *rows); i++) {
    chart_row row = i < 0 ? loss : rows[i];
    row.chart.x_high = last_step;
    HEED_TRY(print_row(out, page, &row, i < 0 ? &validation : NULL));
  }
  fputs("</div>\n", out);
  return HEED_OK;
}

static void print_configuration(FILE *out, const char *text) {
  char start[MOST_OF_A_CONFIGURATION + 1];
  snprintf(start, sizeof start, "%s", text);
  fputs("<section id='configuration'>\n<h2>Configuration <small>resolved</small></h2>\n<details><summary>config.yaml</summary>\n<pre>",
        out);
  heed_print_escaped(out, start);
  fputs(strlen(text) >= sizeof start ? "…</pre>\n" : "</pre>\n", out);
  fputs("</details>\n</section>\n", out);
}

static heed_status print_page(FILE *out, const heed_report_page *page) {
  char written[64];
  time_t now = time(NULL);
  struct tm utc;
  strftime(written, sizeof written, "%Y-%m-%d %H:%M UTC", gmtime_r(&now, &utc));
  /* Nothing is fetched, whatever a text on the page may say. */
  fputs(
      "<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n<meta http-equiv='Content-Security-Policy' content=\"default-src "
      "'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<meta name='viewport' "
      "content='width=device-width,initial-scale=1'>\n"
      "<meta name='color-scheme' content='light dark'>\n<title>",
      out);
  heed_print_escaped(out, page->name);
  fprintf(out, "</title>\n<style>\n%s%s</style>\n</head>\n<body>\n<header>\n<h1>", heed_figure_style, heed_report_style);
  heed_print_escaped(out, page->name);
  fprintf(out, "</h1>\n<p class='about'>Heed, written %s</p>\n</header>\n<main>\n", written);
  print_facts(out, page);
  HEED_TRY(print_charts(out, page, (double)look(page->history).step));
  HEED_TRY(heed_report_entropy(out, page->history));
  heed_report_texts(out, page->samples);
  print_configuration(out, page->config_text);
  fprintf(out, "</main>\n<script>\n%s</script>\n</body>\n</html>\n", heed_report_script);
  return HEED_OK;
}

heed_status heed_report_page_write(const char *path, const heed_report_page *page) {
  char *text = NULL;
  size_t bytes = 0;
  FILE *out = open_memstream(&text, &bytes);
  if (!out)
    return heed_error(HEED_FAILED, "%s: out of memory", path);
  heed_status status = print_page(out, page);
  bool whole = !ferror(out);
  if ((fclose(out) != 0 || !whole) && status == HEED_OK)
    status = heed_error(HEED_FAILED, "%s: out of memory", path);
  if (status == HEED_OK)
    status = heed_file_replace(path, text, bytes);
  free(text);
  return status;
}
