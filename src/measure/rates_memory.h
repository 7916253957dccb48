/** Rates of what is bound by memory: optimizer, sums, copies. */
#ifndef HEED_MEASURE_RATES_MEMORY_H
#define HEED_MEASURE_RATES_MEMORY_H

#include "measure/crew.h"
#include "measure/rates.h"

/** Measures optimizer, add and copy on blocks larger than the caches, all members at once; member 0 writes them into `rates`, in the
 *  shared block.  Errors: HEED_FAILED when memory is short. */
heed_status heed_rates_memory(heed_rates *rates, const heed_rates_spec *spec, const heed_crew *crew);

#endif
