/** How fast this machine trains a model: measured by training steps of that model, shorter and with fewer layers. */
#ifndef HEED_MEASURE_RATES_H
#define HEED_MEASURE_RATES_H

#include "heed/config.h"
#include "kernels/kernels.h"

typedef struct heed_rates {
  double layer;       /**< seconds of a token through a layer, forward and backward */
  double rest;        /**< seconds of a token through embeddings and heads */
  double optimizer;   /**< seconds of a parameter: its part of the norm, and its update */
  double add;         /**< seconds of a float that is added to another, as gradients of two passes are */
  double copy;        /**< seconds of a byte that goes to a rank of the same machine, and one that comes: a copy each */
  int threads, ranks; /**< of a rank; ranks of the machine that worked at once */
  double got;         /**< share of their processors' time that the timed steps had; well below 1: other programs ran meanwhile */
} heed_rates;

typedef struct heed_rates_spec {
  const heed_config *config;
  const heed_kernels *kernels;
  int threads;                    /**< of a rank; what OpenMP would use now */
  int ranks;                      /**< to work at once, in a process each */
  int64_t slices, slices_at_once; /**< of a rank */
} heed_rates_spec;

/** Measures for a few seconds, in processes of their own (crew.h).  Where a whole step of a rank is short enough it is what is timed;
 *  else steps of one layer and of two (or of one more period of a pattern of layers), with as many tokens as are timed in a moment: what
 *  the layers more take is a layer's, what is left is the rest's.
 *
 *  The optimizer is timed by itself and taken off, since ranks share it.
 *  Errors: as training's for memory; HEED_FAILED when a loss is not finite or processes cannot be made. */
heed_status heed_rates_measure(heed_rates *rates, const heed_rates_spec *spec);

/** Rates from steps of `layers[i]` layers that took `seconds[i]` without the optimizer, for `tokens` tokens; layers[0] < layers[1], or
 *  equal: all of it is the layers' then.  Neither comes out negative.  Pure. */
void heed_rates_split(heed_rates *rates, const int64_t layers[2], const double seconds[2], double tokens);

#endif
