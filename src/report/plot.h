/** loss.svg: a run's curves as one self-contained picture, for light and dark pages. */
#ifndef HEED_REPORT_PLOT_H
#define HEED_REPORT_PLOT_H

#include "heed/status.h"
#include "report/metrics.h"

/** Draws, over steps, from a run's metrics: training loss (thin: as logged, cut off at the panel's edges; bold: smoothed) and validation
 *  loss; below them validation accuracy and the learning rate, where there are any.  Long runs are thinned: the picture stays below
 *  200 KB.  The file is replaced at once.  Errors: HEED_IO for a failed write. */
heed_status heed_plot_write(const char *svg_path, const heed_metrics_history *history, const char *title);

#endif
