/** loss.svg: a run's curves as one self-contained picture, for light and dark pages. */
#ifndef HEED_TRAIN_PLOT_H
#define HEED_TRAIN_PLOT_H

#include "heed/status.h"

/** Draws training loss (thin: as logged; bold: smoothed), validation loss (points) and, below, validation accuracy over steps, from
 *  metrics.jsonl.  The file is replaced at once.  Errors: HEED_IO for a failed read or write. */
heed_status heed_plot_write(const char *svg_path, const char *metrics_path, const char *title);

#endif
