#include "report/plot.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "report/curves.h"

enum { MOST_POINTS = 1200, MOST_DOTS = 60 };

/* The curves of a run: of logged steps, and of evaluations. */
typedef struct curves {
  heed_curve loss, smooth, rate, validation_loss, accuracy;
  double last_step, usual_loss;
} curves;

static void curves_free(curves *c) {
  heed_curve *parts[] = {&c->loss, &c->smooth, &c->rate, &c->validation_loss, &c->accuracy};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    heed_curve_free(parts[i]);
}

static heed_status thin(heed_curve *curve) {
  heed_curve thinned;
  HEED_TRY(heed_curve_thin(&thinned, curve, MOST_POINTS));
  heed_curve_free(curve);
  *curve = thinned;
  return HEED_OK;
}

static heed_status curves_take(curves *c, const heed_metrics_history *history) {
  *c = (curves){0};
  HEED_TRY(heed_curve_take(&c->loss, history, false, offsetof(heed_metrics_line, loss), 1));
  HEED_TRY(heed_curve_take(&c->rate, history, false, offsetof(heed_metrics_line, learning_rate), 1));
  HEED_TRY(heed_curve_take(&c->validation_loss, history, true, offsetof(heed_metrics_line, validation_loss), 1));
  HEED_TRY(heed_curve_take(&c->accuracy, history, true, offsetof(heed_metrics_line, validation_accuracy), 100));
  HEED_TRY(heed_curve_smooth(&c->smooth, &c->loss));
  for (int64_t i = 0; i < history->count; i++)
    c->last_step = fmax(c->last_step, (double)history->lines[i].step);
  c->usual_loss = heed_curve_usual(&c->loss);
  heed_curve *long_ones[] = {&c->loss, &c->smooth, &c->rate, &c->validation_loss, &c->accuracy};
  for (size_t i = 0; i < sizeof long_ones / sizeof *long_ones; i++)
    HEED_TRY(thin(long_ones[i]));
  return HEED_OK;
}

static void draw_curve(FILE *out, const heed_panel *panel, const char *kind, const heed_curve *c, bool dots) {
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
  double trained = heed_curve_newest(&c->smooth), checked = heed_curve_newest(&c->validation_loss);
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
static heed_panel draw_alone(FILE *out, const char *kind, const heed_curve *c, bool dots, heed_panel panel, const char *unit,
                             const char *label, bool numbered) {
  panel.y_low = 0;
  panel.y_high = 0;
  heed_panel_include(&panel, c->points, c->count);
  heed_panel_axes(out, &panel, heed_panel_round(&panel, 3), unit, label, numbered);
  draw_curve(out, &panel, kind, c, dots);
  return panel;
}

/* Learning rates are small: the axis counts in their power of ten, which the label names. */
static void draw_rates(FILE *out, heed_curve *c, heed_panel panel) {
  char label[64] = "learning rate", power[32];
  heed_curve_scale(c, power);
  if (*power)
    snprintf(label, sizeof label, "learning rate, × %s", power);
  draw_alone(out, "rate", c, false, panel, "", label, true);
}

static void draw(FILE *out, curves *c, const char *title) {
  enum { LOSS_TOP = 74, LOSS_BOTTOM = 350, GAP = 42, ACCURACY = 100, RATE = 70, NUMBERS = 54 };
  bool evaluated = isfinite(heed_curve_newest(&c->accuracy)), rates = c->rate.count > 1;
  double accuracy_bottom = evaluated ? LOSS_BOTTOM + GAP + ACCURACY : LOSS_BOTTOM;
  double bottom = rates ? accuracy_bottom + GAP + RATE : accuracy_bottom;

  heed_figure_begin(out, (int)bottom + NUMBERS, title);
  heed_figure_legend(out, 0, "train", false, "training loss (thin: as logged)");
  if (c->validation_loss.count > 0)
    heed_figure_legend(out, 226, "check", true, "validation loss");
  draw_losses(out, c, heed_panel_between(LOSS_TOP, LOSS_BOTTOM, c->last_step), !evaluated && !rates);
  if (evaluated) {
    heed_panel panel = heed_panel_between(LOSS_BOTTOM + GAP, accuracy_bottom, c->last_step);
    panel = draw_alone(out, "share", &c->accuracy, true, panel, "%", "validation accuracy", !rates);
    print_value(out, "share", heed_panel_height(&panel, heed_curve_newest(&c->accuracy)), "%.1f%%", heed_curve_newest(&c->accuracy));
  }
  if (rates)
    draw_rates(out, &c->rate, heed_panel_between(accuracy_bottom + GAP, bottom, c->last_step));
  heed_figure_end(out);
}

heed_status heed_plot_write(const char *svg_path, const heed_metrics_history *history, const char *title) {
  curves c;
  char *text = NULL;
  size_t bytes = 0;
  heed_status status = curves_take(&c, history);
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
