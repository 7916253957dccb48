#include "report/chart.h"

#include <math.h>
#include <string.h>

enum { MOST_DOTS = 60, TICKS = 4 };

/* The sizes a chart is drawn in, in pixels of its own. */
typedef struct shape {
  const char *kind;
  int width, height, left;
} shape;

static const shape usual_shape = {"plot", 380, 190, 50}, small_shape = {"plot", 270, 150, 36};
static const shape wide_shape = {"plot wide", 840, 320, 50}, narrow_shape = {"plot narrow", 380, 270, 50};

static const char *or_empty(const char *text) {
  return text ? text : "";
}

const char *heed_chart_value(char text[HEED_CHART_VALUE], double value, int digits, const char *unit) {
  char grouped[48];
  if (!isfinite(value))
    snprintf(text, HEED_CHART_VALUE, "–");
  else if (digits == 0 && value >= 0)
    snprintf(text, HEED_CHART_VALUE, "%s%s", heed_print_count(grouped, value), unit);
  else
    snprintf(text, HEED_CHART_VALUE, "%.*f%s", digits, value, unit);
  return text;
}

/* What part of the plane the chart shows.  Returns the distance of its ticks. */
static double fit(heed_panel *panel, const heed_chart *chart) {
  double loud_high;
  if (chart->from_zero)
    panel->y_low = panel->y_high = 0;
  for (int i = 0; i < chart->count; i++)
    if (!chart->series[i].quiet)
      heed_panel_include(panel, chart->series[i].curve.points, chart->series[i].curve.count);
  loud_high = panel->y_high;
  for (int i = 0; i < chart->count; i++)
    if (chart->series[i].quiet)
      heed_panel_include(panel, chart->series[i].curve.points, chart->series[i].curve.count);
  if (chart->usual != 0)
    panel->y_high = fmin(panel->y_high, fmax(loud_high, chart->usual));
  if (chart->at_least > 0)
    panel->y_high = fmax(panel->y_high, chart->at_least);
  return heed_panel_round(panel, TICKS);
}

static void print_picture(FILE *out, const heed_chart *chart, const shape *s) {
  heed_panel panel = heed_panel_between(10, s->height - 26, chart->x_high);
  panel.left = s->left;
  panel.right = s->width - 24;
  double tick = fit(&panel, chart);
  heed_figure_open(out, s->kind, s->width, s->height, chart->title, &panel);
  heed_panel_axes(out, &panel, tick, or_empty(chart->marks), NULL, true);
  for (int i = 0; i < chart->count; i++) {
    const heed_chart_series *c = &chart->series[i];
    heed_panel_line(out, &panel, c->kind, c->curve.points, c->curve.count);
    if (c->dots && c->curve.count <= MOST_DOTS)
      heed_panel_dots(out, &panel, c->kind, c->curve.points, c->curve.count);
  }
  heed_figure_end(out);
}

/* Whether two curves have their points at the same steps: the heads of a layer do, and many of them would fill the page with these. */
static bool same_steps(const heed_curve *a, const heed_curve *b) {
  for (int64_t i = 0; i < a->count && a->count == b->count; i++)
    if (a->points[i].x != b->points[i].x)
      return false;
  return a->count == b->count;
}

/* The curves for page.js; one without x has those of the first. */
static void print_numbers(FILE *out, const heed_chart *chart) {
  fprintf(out, "<script type='application/json'>{\"digits\":%d,\"unit\":\"%s\",\"series\":[", chart->digits, or_empty(chart->unit));
  for (int i = 0; i < chart->count; i++) {
    const heed_curve *c = &chart->series[i].curve;
    fprintf(out, "%s{\"kind\":\"%s\"", i > 0 ? "," : "", chart->series[i].kind);
    if (i == 0 || !same_steps(c, &chart->series[0].curve)) {
      for (int64_t j = 0; j < c->count; j++)
        fprintf(out, "%s%.0f", j > 0 ? "," : ",\"x\":[", c->points[j].x);
      fputs(c->count > 0 ? "]" : ",\"x\":[]", out);
    }
    fputs(",\"y\":[", out);
    for (int64_t j = 0; j < c->count; j++) {
      fputs(j > 0 ? "," : "", out);
      if (isfinite(c->points[j].y))
        fprintf(out, "%.*f", fabs(c->points[j].y) < 1e15 ? chart->digits : 0, c->points[j].y);
      else
        fputs("null", out);
    }
    fputs("]}", out);
  }
  fputs("]}</script>\n", out);
}

void heed_chart_print(FILE *out, const heed_chart *chart) {
  char value[HEED_CHART_VALUE];
  fprintf(out, "<figure class='chart%s' id='%s'>\n<figcaption>%s", chart->wide ? " whole" : "", chart->id, chart->title);
  if (chart->note)
    fprintf(out, " <small>%s</small>", chart->note);
  fputs("</figcaption>\n<p class='values'><span class='at'>newest</span>", out);
  for (int i = 0; i < chart->count; i++) {
    const heed_chart_series *s = &chart->series[i];
    fprintf(out, " <span class='value %s'><i></i>%s <b>%s</b></span>", s->kind, s->name,
            heed_chart_value(value, heed_curve_newest(&s->curve), chart->digits, or_empty(chart->unit)));
  }
  fputs("</p>\n<div class='plots'>\n", out);
  print_picture(out, chart, chart->wide ? &wide_shape : chart->small ? &small_shape : &usual_shape);
  if (chart->wide)
    print_picture(out, chart, &narrow_shape);
  fputs("</div>\n", out);
  print_numbers(out, chart);
  fputs("</figure>\n", out);
}
