/** Panels of curves as SVG text: axes with round ticks, lines, dots, labels.  plot.c says what is drawn; this file knows how. */
#ifndef HEED_REPORT_FIGURE_H
#define HEED_REPORT_FIGURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** A point of a curve; where y is not finite the curve has a gap. */
typedef struct heed_point {
  double x, y;
} heed_point;

/** A pair of axes: which part of the plane it shows, and where on the page. */
typedef struct heed_panel {
  double x_high; /**< the horizontal axis begins at 0 */
  double y_low, y_high;
  double top, bottom;
  double left, right;
} heed_panel;

/** A panel between two heights of loss.svg, as wide as that allows, that shows nothing yet. */
heed_panel heed_panel_between(double top, double bottom, double x_high);

/** Makes room for the points. */
void heed_panel_include(heed_panel *panel, const heed_point *points, int64_t count);

/** Widens the vertical range to round numbers, about `ticks` of them; a range that is empty or flat gets some height.
 *  Returns their distance. */
double heed_panel_round(heed_panel *panel, int ticks);

/** Grid, axes and numbers; `unit` stands behind each number on the left, `label` above the panel; numbers below if `numbered`. */
void heed_panel_axes(FILE *out, const heed_panel *panel, double tick, const char *unit, const char *label, bool numbered);

/** A line through the points, cut off at the panel's edges; a point without neighbours is a dot.  `kind` is a class of the style. */
void heed_panel_line(FILE *out, const heed_panel *panel, const char *kind, const heed_point *points, int64_t count);

/** A dot at each point. */
void heed_panel_dots(FILE *out, const heed_panel *panel, const char *kind, const heed_point *points, int64_t count);

/** Height of a value on the page, kept inside the panel. */
double heed_panel_height(const heed_panel *panel, double y);

/** A text right of the panel at a height of the page, in the colour of `kind`. */
void heed_panel_value(FILE *out, const char *kind, double height, const char *text);

/** An entry of the legend, `x` from the left: a stroke, with a dot if `dotted`, and its name. */
void heed_figure_legend(FILE *out, double x, const char *kind, bool dotted, const char *name);

/** A picture that is a file of its own: with its title, colours and background. */
void heed_figure_begin(FILE *out, int height, const char *title);

/** A picture inside a page that has heed_figure_style among its own rules.  `kind` is its class, `name` is what it is read out as.  Its
 *  attribute data-panel tells a script where the panel is and what it shows: left, right, top, bottom, x_high, y_low, y_high. */
void heed_figure_open(FILE *out, const char *kind, int width, int height, const char *name, const heed_panel *panel);
void heed_figure_end(FILE *out);

/** The colours of lines and texts as CSS, light and dark.  No font, script or picture comes from elsewhere. */
extern const char heed_figure_style[];

/** A count as 12,345. */
const char *heed_print_count(char text[48], double count);

/** A text of the user's in HTML or XML: what these keep for themselves is written as a number, what XML forbids is a space. */
void heed_print_escaped(FILE *out, const char *text);

#endif
