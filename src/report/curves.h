/** Curves over steps, taken from metrics and made fit for a picture. */
#ifndef HEED_REPORT_CURVES_H
#define HEED_REPORT_CURVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "heed/status.h"
#include "report/figure.h"
#include "report/metrics.h"

typedef struct heed_curve {
  heed_point *points;
  int64_t count;
} heed_curve;

/** A number of every logged step, or of every evaluation, times `scale`.
 *  \param[in] field  offset of a double in heed_metrics_line */
heed_status heed_curve_take(heed_curve *curve, const heed_metrics_history *history, bool evaluations, size_t field, double scale);
void heed_curve_free(heed_curve *curve);

/** Means over 1/40 of the run around each point.  At the start, where a loss falls fast, the window is cut on both sides, so that it
 *  stays centred; at the end on the far side only, so that one last noisy step does not pull the curve. */
heed_status heed_curve_smooth(heed_curve *smoothed, const heed_curve *from);

/** A curve of at most `most` points (an even number): of a longer one the lowest and the highest point of each stretch, in their order,
 *  so that noise and spikes stay visible. */
heed_status heed_curve_thin(heed_curve *thinned, const heed_curve *from, int64_t most);

/** The newest value, or NaN. */
double heed_curve_newest(const heed_curve *curve);

/** The value that one logged step in fifty exceeds: a spike must not press the rest of the curve flat.  Infinite when there is nothing
 *  to say. */
double heed_curve_usual(const heed_curve *curve);

/** Multiplies a curve of small numbers (learning rates) by a power of ten, so that its highest is between 1 and 10.
 *  \param[out] power  a text for the label, "10⁻⁴"; "" where the curve was left as it is */
void heed_curve_scale(heed_curve *curve, char power[32]);

#endif
