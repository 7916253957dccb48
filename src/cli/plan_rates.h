/** Rates of a machine, kept as JSON: what `heed plan --json` prints under `rates`, and reads again on another machine. */
#ifndef HEED_CLI_PLAN_RATES_H
#define HEED_CLI_PLAN_RATES_H

#include <jansson.h>

#include "heed/config.h"
#include "measure/rates.h"

/** NULL when memory is short. */
json_t *plan_rates_print(const heed_rates *rates, const heed_config *config);

/** Reads what a plan printed.  Errors: HEED_INVALID naming the file, and the key that is missing or impossible, or in which its model is
 *  another than this configuration's. */
heed_status plan_rates_read(heed_rates *rates, const char *path, const heed_config *config);

#endif
