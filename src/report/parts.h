/** Parts of a run's page that stand by themselves. */
#ifndef HEED_REPORT_PARTS_H
#define HEED_REPORT_PARTS_H

#include <stdio.h>

#include "report/metrics.h"
#include "report/samples.h"

/** The entropies of all heads: the newest as a map of layers × heads, and their curves, a chart a layer.  Nothing where there are none.
 *  Errors: HEED_FAILED when memory is short. */
heed_status heed_report_entropy(FILE *out, const heed_metrics_history *history);

/** The newest evaluation's samples, then earlier ones to be unfolded: as many, evenly chosen, as keep the page small. */
void heed_report_texts(FILE *out, const heed_samples *samples);

#endif
