#include "train/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "train/figure.h"
#include "train/metrics.h"

enum { MOST_POINTS = 1200, MOST_DOTS = 60 };

typedef struct curve {
  heed_point *points;
  int64_t count;
} curve;

/* The curves of a run: of logged steps, and of evaluations. */
typedef struct curves {
  curve loss, smooth, rate, validation_loss, accuracy;
  double last_step, usual_loss;
} curves;

static void curves_free(curves *c) {
  heed_point *parts[] = {c->loss.points, c->smooth.points, c->rate.points, c->validation_loss.points, c->accuracy.points};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    free(parts[i]);
}

static void add(curve *c, int64_t step, double value) {
  c->points[c->count++] = (heed_point){(double)step, value};
}

/* A line with a learning rate is a logged step, even where its loss is not a number; others are evaluations. */
static heed_status curves_take(curves *c, const heed_metrics_line *lines, int64_t count) {
  curve *all[] = {&c->loss, &c->smooth, &c->rate, &c->validation_loss, &c->accuracy};
  *c = (curves){0};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (!(all[i]->points = calloc((size_t)count + 1, sizeof *all[i]->points)))
      return heed_error(HEED_FAILED, "out of memory for the picture of a run");
  for (int64_t i = 0; i < count; i++) {
    const heed_metrics_line *line = &lines[i];
    c->last_step = fmax(c->last_step, (double)line->step);
    if (isfinite(line->learning_rate)) {
      add(&c->loss, line->step, line->loss);
      add(&c->rate, line->step, line->learning_rate);
    } else {
      add(&c->validation_loss, line->step, line->validation_loss);
      add(&c->accuracy, line->step, 100 * line->validation_accuracy);
    }
  }
  return HEED_OK;
}

/* Means over 1/40 of the run around each point.  At the start, where the loss falls fast, the window is cut on both sides, so that it
 * stays centred; at the end on the far side only, so that one last noisy step does not pull the curve. */
static void smooth(curve *smoothed, const curve *from) {
  int64_t half = from->count / 80, low = 0, high = 0, within = 0;
  double sum = 0;
  smoothed->count = from->count;
  for (int64_t i = 0; i < from->count; i++) {
    int64_t reach = half < i ? half : i, end = i + reach + 1 < from->count ? i + reach + 1 : from->count;
    for (; high < end; high++)
      if (isfinite(from->points[high].y))
        sum += from->points[high].y, within++;
    for (; low < i - reach; low++)
      if (isfinite(from->points[low].y))
        sum -= from->points[low].y, within--;
    smoothed->points[i] = (heed_point){from->points[i].x, isfinite(from->points[i].y) ? sum / (double)within : NAN};
  }
}

/* Thins a long curve to the lowest and the highest point of each stretch, in their order: noise and spikes stay visible. */
static void thin(curve *c) {
  const int64_t stretches = MOST_POINTS / 2, count = c->count;
  heed_point *p = c->points;
  if (count <= MOST_POINTS)
    return;
  c->count = 0;
  for (int64_t s = 0; s < stretches; s++) {
    int64_t from = s * count / stretches, to = (s + 1) * count / stretches, lowest = from, highest = from;
    for (int64_t i = from; i < to; i++) {
      if (p[i].y < p[lowest].y || !isfinite(p[lowest].y))
        lowest = i;
      if (p[i].y > p[highest].y || !isfinite(p[highest].y))
        highest = i;
    }
    heed_point pair[2] = {p[lowest < highest ? lowest : highest], p[lowest < highest ? highest : lowest]};
    p[c->count++] = pair[0]; /* never ahead of what is still to be read: a stretch has two points or more */
    p[c->count++] = pair[1];
  }
}

/* The newest value of a curve, or NaN. */
static double newest(const curve *c) {
  int64_t i = c->count;
  while (i > 0 && !isfinite(c->points[i - 1].y))
    i--;
  return i > 0 ? c->points[i - 1].y : NAN;
}

static void draw_curve(FILE *out, const heed_panel *panel, const char *kind, const curve *c, bool dots) {
  heed_panel_line(out, panel, kind, c->points, c->count);
  if (dots && c->count <= MOST_DOTS)
    heed_panel_dots(out, panel, kind, c->points, c->count);
}

/* The newest value, beside the end of its curve. */
static void print_value(FILE *out, const char *kind, double height, const char *format, double value) {
  char text[32];
  snprintf(text, sizeof text, format, value);
  if (isfinite(value))
    heed_panel_value(out, kind, height, text);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The loss that is exceeded by one logged step in fifty: a spike must not press the rest of the curve flat.  INFINITY when there is
 * nothing to say. */
static double usual_loss(const curve *c) {
  double *values = malloc((size_t)(c->count + 1) * sizeof *values), usual = INFINITY;
  int64_t count = 0;
  for (int64_t i = 0; values && i < c->count; i++)
    if (isfinite(c->points[i].y))
      values[count++] = c->points[i].y;
  if (values)
    qsort(values, (size_t)count, sizeof *values, by_value);
  if (count > 0)
    usual = values[count - 1 - count / 50];
  free(values);
  return usual;
}

static void draw_losses(FILE *out, const curves *c, heed_panel panel, bool numbered) {
  enum { LINE = 14 }; /* values closer than a line of text are moved apart */
  heed_panel_include(&panel, c->smooth.points, c->smooth.count);
  if (panel.y_high > c->usual_loss)
    panel.y_high = fmax(c->usual_loss, c->smooth.points[0].y);
  heed_panel_include(&panel, c->validation_loss.points, c->validation_loss.count);
  heed_panel_axes(out, &panel, heed_panel_round(&panel, 6), "", NULL, numbered);
  draw_curve(out, &panel, "raw", &c->loss, false);
  draw_curve(out, &panel, "train", &c->smooth, false);
  draw_curve(out, &panel, "check", &c->validation_loss, true);
  double trained = newest(&c->smooth), checked = newest(&c->validation_loss);
  double y_trained = heed_panel_height(&panel, trained), y_checked = heed_panel_height(&panel, checked), gap = y_trained - y_checked;
  if (isfinite(trained) && isfinite(checked) && fabs(gap) < LINE) {
    double shift = copysign(0.5 * (LINE - fabs(gap)), gap);
    y_trained += shift;
    y_checked -= shift;
  }
  print_value(out, "train", y_trained, "%.3f", trained);
  print_value(out, "check", y_checked, "%.3f", checked);
}

/* A curve by itself, on an axis from 0. */
static heed_panel draw_alone(FILE *out, const char *kind, const curve *c, bool dots, heed_panel panel, const char *unit, const char *label,
                             bool numbered) {
  panel.y_low = 0;
  panel.y_high = 0;
  heed_panel_include(&panel, c->points, c->count);
  heed_panel_axes(out, &panel, heed_panel_round(&panel, 3), unit, label, numbered);
  draw_curve(out, &panel, kind, c, dots);
  return panel;
}

/* Learning rates are small: the axis counts in their power of ten, which the label names. */
static void draw_rates(FILE *out, curve *c, heed_panel panel) {
  static const char *const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  char label[64] = "learning rate";
  double highest = 0;
  for (int64_t i = 0; i < c->count; i++)
    highest = fmax(highest, c->points[i].y);
  int power = highest > 0 ? (int)floor(log10(highest)) : 0;
  if (power < -1 && power > -100) {
    snprintf(label, sizeof label, "learning rate, × 10⁻%s%s", power <= -10 ? digits[-power / 10] : "", digits[-power % 10]);
    for (int64_t i = 0; i < c->count; i++)
      c->points[i].y *= pow(10, -power);
  }
  draw_alone(out, "rate", c, false, panel, "", label, true);
}

static void draw(FILE *out, curves *c, const char *title) {
  enum { LOSS_TOP = 74, LOSS_BOTTOM = 350, GAP = 42, ACCURACY = 100, RATE = 70, NUMBERS = 54 };
  bool evaluated = isfinite(newest(&c->accuracy)), rates = c->rate.count > 1;
  double accuracy_bottom = evaluated ? LOSS_BOTTOM + GAP + ACCURACY : LOSS_BOTTOM;
  double bottom = rates ? accuracy_bottom + GAP + RATE : accuracy_bottom;
  smooth(&c->smooth, &c->loss);
  c->usual_loss = usual_loss(&c->loss);
  thin(&c->loss);
  thin(&c->smooth);
  thin(&c->rate);
  thin(&c->validation_loss);
  thin(&c->accuracy);

  heed_figure_begin(out, (int)bottom + NUMBERS, title);
  heed_figure_legend(out, 0, "train", false, "training loss (thin: as logged)");
  if (c->validation_loss.count > 0)
    heed_figure_legend(out, 226, "check", true, "validation loss");
  draw_losses(out, c, heed_panel_between(LOSS_TOP, LOSS_BOTTOM, c->last_step), !evaluated && !rates);
  if (evaluated) {
    heed_panel panel = heed_panel_between(LOSS_BOTTOM + GAP, accuracy_bottom, c->last_step);
    panel = draw_alone(out, "share", &c->accuracy, true, panel, "%", "validation accuracy", !rates);
    print_value(out, "share", heed_panel_height(&panel, newest(&c->accuracy)), "%.1f%%", newest(&c->accuracy));
  }
  if (rates)
    draw_rates(out, &c->rate, heed_panel_between(accuracy_bottom + GAP, bottom, c->last_step));
  heed_figure_end(out);
}

heed_status heed_plot_write(const char *svg_path, const char *metrics_path, const char *title) {
  heed_metrics_line *lines;
  int64_t count;
  curves c;
  char *text = NULL;
  size_t bytes = 0;
  HEED_TRY(heed_metrics_read(metrics_path, &lines, &count));
  heed_status status = curves_take(&c, lines, count);
  free(lines);
  FILE *out = status == HEED_OK ? open_memstream(&text, &bytes) : NULL;
  if (out) {
    draw(out, &c, title);
    bool whole = !ferror(out);
    status = fclose(out) == 0 && whole ? heed_file_replace(svg_path, text, bytes) : heed_error(HEED_FAILED, "%s: out of memory", svg_path);
  } else if (status == HEED_OK) {
    status = heed_error(HEED_FAILED, "%s: out of memory", svg_path);
  }
  free(text);
  curves_free(&c);
  return status;
}
