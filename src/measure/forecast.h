/** How long training will take, from rates: of this machine's work, of its network, of its disk.  Pure.
 *
 *      step = tokens · (rest + L · layer) / t + passes' gradients added + parameters/P · optimizer + shares + exposed
 *
 *  with the tokens and the parameters of a rank, P data ranks and t tensor ranks.  These add up what layers share of activations, twice a
 *  layer forward and twice backward, and wait for it.  The sum of gradients goes on while backward does: of all that is ready before
 * backward ends (all but the embeddings' own) only what takes longer than backward through the layers is exposed; the rest of the sum is,
 * and the return of the parameters. */
#ifndef HEED_MEASURE_FORECAST_H
#define HEED_MEASURE_FORECAST_H

#include "heed/config.h"
#include "measure/network.h"
#include "measure/plan.h"
#include "measure/rates.h"

typedef struct heed_forecast_spec {
  const heed_config *config;
  heed_rates rates;
  heed_network network;   /**< between data ranks */
  heed_network tensor;    /**< between tensor ranks */
  double slowdown;        /**< of a rank's own work against the rates: above 1 where ranks share processors */
  double checkpoint_rate; /**< bytes a second; 0: unknown */
} heed_forecast_spec;

/** Seconds, unless said otherwise; of steps of full rows. */
typedef struct heed_forecast {
  double compute;   /**< forward and backward */
  double optimizer; /**< of a rank's share */
  double shares;    /**< sums of activations over the tensor ranks */
  double exchange;  /**< sum of the gradients and return of the parameters */
  double exposed;   /**< of it, what nothing hides */
  double step;
  double tokens_per_second;
  double network_share; /**< (shares + exposed) / step */
  double checkpoint;    /**< to save one; 0: unknown */
  double run;           /**< train.steps, with checkpoints (if known), and evaluations of so many batches as are configured */
} heed_forecast;

/** \param[in] ranks  of the job */
heed_forecast heed_forecast_make(const heed_forecast_spec *spec, const heed_run_plan *plan, int ranks);

/** Batches that the run's evaluations take in all, 0 without any. */
double heed_forecast_evaluations(const heed_config *config);

/** What ranks of one machine exchange through its memory: two copies of a byte, and of gradients an addition. */
heed_network heed_forecast_shared_memory(const heed_rates *rates);

#endif
