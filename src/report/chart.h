/** A chart of the page: curves over steps as SVG, the values at a step above them, and the numbers that page.js shows there. */
#ifndef HEED_REPORT_CHART_H
#define HEED_REPORT_CHART_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report/curves.h"

typedef struct heed_chart_series {
  const char *kind; /**< class of the style: its colour */
  const char *name; /**< beside its value */
  heed_curve curve; /**< thinned already */
  bool dots, quiet; /**< a dot at each point; drawn, but without a value of its own */
} heed_chart_series;

/** A field that is left out is 0 or NULL: there is none. */
typedef struct heed_chart {
  const char *id, *title, *note; /**< note: what is counted, small beside the title */
  const heed_chart_series *series;
  int count;
  int digits;        /**< behind the point, of a value shown */
  const char *unit;  /**< behind a value shown, with its space */
  const char *marks; /**< behind the numbers on the left */
  bool from_zero;    /**< where the axis begins; else where the curves do */
  double at_least;   /**< as far up as the axis goes at least */
  double usual;      /**< quiet curves are cut off above it, or above the others if these go higher */
  double x_high;     /**< the last step */
  bool wide, small;  /**< as wide as the page (on a phone it has other proportions), or three beside each other */
} heed_chart;

void heed_chart_print(FILE *out, const heed_chart *chart);

/** A value as a chart shows it; "–" for none.  Room for any double. */
enum { HEED_CHART_VALUE = 400 };
const char *heed_chart_value(char text[HEED_CHART_VALUE], double value, int digits, const char *unit);

#endif
